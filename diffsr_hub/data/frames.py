"""How one observation of a dataset is kept: as float32 numbers, as a uint8 image, or as the bytes of both."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffsr_hub.data.images import image_shape, is_image
from diffsr_hub.data.spaces import Leaf, encode, width
from diffsr_hub.errors import UserError

if TYPE_CHECKING:
    import gymnasium as gym

_MOST_NUMBERS = 65_536  # of an observation or an action: what an encoder can have


class FrameFormat:
    """Of the observations of one dataset.

    Args:
        leaves: of its observation space.

    Attributes:
        shape: of what is kept of an observation: `(obs_dim,)` numbers; height, width and channels of an image; or the
            bytes of an image and of the numbers beside it, as float32, which `unpack` takes apart.
        dtype: float32, or uint8 where there is an image.
        image_shape: height, width and channels; None without an image.

    Raises:
        UserError: the observations are too large, or images of a kind that is not supported, or there are two in one.
    """

    def __init__(self, leaves: Sequence[Leaf]) -> None:
        images = [leaf for leaf in leaves if is_image(leaf.space)]
        self._leaves = list(leaves)
        self.image_shape: tuple[int, int, int] | None = None
        self.shape: tuple[int, ...]
        self.dtype: np.dtype[Any] = np.dtype(np.uint8 if images else np.float32)
        if not images:
            self.shape = (size("observation", leaves),)
            return
        if len(images) > 1:
            raise UserError(f"its observations have {len(images)} images each, and one is supported")
        self.shape = self.image_shape = image_shape(images[0].space)
        if numbers := [leaf for leaf in leaves if not is_image(leaf.space)]:
            self.shape = (int(np.prod(self.shape)) + 4 * size("observation", numbers),)

    def join(self, observations: Sequence[NDArray[Any]], where: str) -> NDArray[Any]:
        """Rows `[n, *shape]` of the columns of all leaves.

        Args:
            observations: the column of each leaf, `[n, *its shape]`.
            where: named in errors.

        Raises:
            UserError: a column does not fit its space, or holds a value that is not finite.
        """
        columns = list(zip(self._leaves, observations, strict=True))
        parts = [flat(leaf.space, values, leaf.name, where) for leaf, values in columns if not is_image(leaf.space)]
        images = [_images(leaf, values, where) for leaf, values in columns if is_image(leaf.space)]
        if not parts:
            return images[0].reshape(-1, *self.shape)
        numbers = float32(np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0], "observations", where)
        if not images:
            return numbers
        seen = images[0].reshape(len(numbers), -1)
        return np.concatenate([seen, np.ascontiguousarray(numbers).view(np.uint8)], axis=1)


def unpack(obs: Tensor, image_shape: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Take observations of an image and numbers apart.

    Args:
        obs: `[..., bytes]`, uint8.
        image_shape: height, width and channels.

    Returns:
        The images `[..., *image_shape]`, uint8, and the numbers `[..., n]`, float32.
    """
    pixels = int(np.prod(tuple(image_shape)))
    numbers = obs[..., pixels:].contiguous().view(torch.float32)
    return obs[..., :pixels].unflatten(-1, tuple(image_shape)), numbers


def size(name: str, leaves: Sequence[Leaf]) -> int:
    """How many numbers an observation or an action has.

    Raises:
        UserError: none, or more than an encoder can have.
    """
    if not 1 <= (total := sum(width(leaf.space) for leaf in leaves)) <= _MOST_NUMBERS:
        raise UserError(f"its {name}s have {total:,} numbers each; 1 to {_MOST_NUMBERS:,} are supported")
    return total


def flat(space: "gym.Space[Any]", values: NDArray[Any], column: str, where: str) -> NDArray[Any]:
    """The column of a leaf as rows of numbers, see `encode`.

    Raises:
        UserError: it does not fit its space.
    """
    try:
        return encode(space, values)
    except ValueError as error:
        raise UserError(f"{where}, column {column} {error}") from error


def float32(values: NDArray[Any], column: str, where: str) -> NDArray[np.float32]:
    """A column as float32.

    Raises:
        UserError: a value is not finite then; it and its place are named.
    """
    with np.errstate(over="ignore"):  # what overflows becomes infinite, and that is an error below
        narrow = values.astype(np.float32, copy=False)
    finite = np.isfinite(narrow)
    if not finite.all():
        step, *place = (int(i) for i in np.argwhere(~finite)[0])
        column += "".join(f"[{i}]" for i in place)
        value = values[(step, *place)]
        raise UserError(f"{where}, column {column}: value {value} at step {step} is not finite in float32")
    return narrow


def _images(leaf: Leaf, values: NDArray[Any], where: str) -> NDArray[np.uint8]:
    if values.dtype != np.uint8 or values.shape[1:] != leaf.space.shape:
        raise UserError(
            f"{where}, column {leaf.name} has images {values.shape[1:]} of {values.dtype}, "
            f"its space says {leaf.space.shape} of uint8"
        )
    return values
