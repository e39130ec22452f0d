"""Observations that are images: which spaces hold them, how they are decoded, and how frames become stacks."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffsr_hub.checks import at_least_one
from diffsr_hub.errors import UserError, on_one_line

if TYPE_CHECKING:
    import gymnasium as gym

_SMALLEST_SIDE = 32  # Minari's own line between a matrix and an image
_CHANNELS = (1, 3, 4)
_FORMATS = ("JPEG", "PNG")  # Pillow's decoders of other formats are not for strangers' files


@dataclass(frozen=True)
class Stack:
    """How many frames an observation is made of when it is read; every frame is stored once."""

    frames: int = 1
    """the last one is the newest; with 1, an observation has no axis for them"""
    spacing: int = 1
    """how many frames lie from one of them to the next"""

    def __post_init__(self) -> None:
        """Refuse numbers below 1.

        Raises:
            UserError: One is.
        """
        at_least_one(self, "frames", "spacing")

    def gather(self, frames: Tensor, row: Tensor, first: Tensor) -> Tensor:
        """Observations out of frames; before the first frame of an episode, that frame stands for those before it.

        Args:
            frames: `[R, *frame]`, of which only the rows that are needed are touched.
            row: `[B]`, int64, the newest frame of each observation.
            first: `[B]`, int64, the first frame of its episode.

        Returns:
            `[B, *frame]`, or `[B, frames, *frame]` where there are several.
        """
        if self.frames == 1:
            return frames.index_select(0, row)
        ages = torch.arange(self.frames - 1, -1, -1) * self.spacing
        rows = torch.maximum(row.unsqueeze(-1) - ages, first.unsqueeze(-1))
        return frames.index_select(0, rows.reshape(-1)).unflatten(0, rows.shape)


def is_image(space: "gym.Space[Any]") -> bool:
    """Whether a space holds images, of a kind that is supported or not."""
    from gymnasium import spaces

    return isinstance(space, spaces.Box) and _look_like_images(space.shape, str(space.dtype))


def holds_images(serialized: Any) -> bool:
    """Whether a space, or one inside of it, holds images, told from its JSON: Gymnasium need not be imported."""
    if not isinstance(serialized, dict):
        return False
    inner = serialized.get("subspaces")
    if isinstance(inner, dict | list):
        return any(map(holds_images, inner.values() if isinstance(inner, dict) else inner))
    shape = serialized.get("shape")
    return isinstance(shape, list) and _look_like_images(shape, str(serialized.get("dtype")))


def _look_like_images(shape: Sequence[int], dtype: str) -> bool:
    return len(shape) >= 3 or (len(shape) == 2 and dtype == "uint8" and min(shape) >= _SMALLEST_SIDE)


def image_shape(space: "gym.Space[Any]") -> tuple[int, int, int]:
    """Height, width and channels of the images of a space; grey ones have 1 channel.

    Raises:
        UserError: They are not uint8, have their channels first, or are stacks already.
    """
    shape = space.shape or ()
    height, width, *channels = shape
    if space.dtype != np.uint8:
        raise UserError(f"its images hold {space.dtype}, and uint8 from 0 to 255 is needed")
    if not channels or (len(channels) == 1 and channels[0] in _CHANNELS):
        return height, width, channels[0] if channels else 1
    if len(channels) == 1 and height in _CHANNELS:
        raise UserError(f"its images {shape} have their channels first, and {(width, channels[0], height)} is needed")
    raise UserError(
        f"its images {shape} are not (height, width, channels) with 1, 3 or 4 channels; "
        "stacks are made when images are read, of images that are stored one by one"
    )


def decode(rows: Sequence[Any] | NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Decode compressed images.

    Args:
        rows: n files in memory, each as bytes or as an array of bytes.
        shape: of an image: height and width, and channels unless it is grey.

    Returns:
        `[n, *shape]`

    Raises:
        ValueError: One cannot be decoded, or has another shape; the message says which.
    """
    images = np.empty((len(rows), *shape), np.uint8)
    for number, row in enumerate(rows):
        try:
            images[number] = _decoded(bytes(row), shape)
        except Exception as error:  # Pillow raises anything
            raise ValueError(f"holds an image that cannot be read, number {number} ({on_one_line(error)})") from error
    return images


def _decoded(file: bytes, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    from PIL import Image

    with Image.open(io.BytesIO(file), formats=_FORMATS) as image:
        if image.size != (shape[1], shape[0]):  # known before anything large is decoded
            raise ValueError(f"it is {image.height} × {image.width}, not {shape[0]} × {shape[1]}")
        pixels = np.asarray(image)
    if pixels.shape != shape or pixels.dtype != np.uint8:
        raise ValueError(f"it is of shape {pixels.shape}, not {shape}")
    return pixels
