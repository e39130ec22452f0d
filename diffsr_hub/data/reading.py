"""A dataset as flat float32 columns (images: uint8), some megabytes of whole episodes at a time, every value checked.

A stored episode has T+1 observations and T of everything else, and so do these columns: cutting T+1 rows by T is
how readers drift by one row per episode.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffsr_hub.data.dataset import Dataset, StoredEpisode
from diffsr_hub.data.images import image_shape, is_image
from diffsr_hub.data.spaces import Leaf, action_bounds, encode, leaves, read_space, width
from diffsr_hub.errors import UserError
from diffsr_hub.model.env_check import parts

if TYPE_CHECKING:
    import gymnasium as gym

_BLOCK_BYTES = 1 << 20  # enough that NumPy's calls cost nothing beside their work
_MOST_NUMBERS = 65_536  # of an observation or an action: what an encoder can have


class Block(NamedTuple):
    """M whole episodes, one after the other, of n transitions in all."""

    frames: NDArray[np.float32] | NDArray[np.uint8]
    """`[n + M, *frame_shape]`: every observation, also the one after the last action of each episode"""
    action: NDArray[np.float32]
    """`[n, action_dim]`, in [-1, 1] or one-hot"""
    reward: NDArray[np.float32]
    """`[n]`"""
    terminated: NDArray[np.bool_]
    """`[n]`"""
    lengths: NDArray[np.int64]
    """`[M]`: steps of each episode"""


class Reader:
    """Reads one dataset.

    Args:
        dataset: the dataset.

    Attributes:
        frame_shape: of an observation: `(obs_dim,)`, or height, width and channels of an image.
        frame_dtype: float32, or uint8 of images.
        obs_parts: names and sizes of the parts of a nested one, in order.
        action_dim: of a flat action.
        bounds: lowest and highest original action; None for discrete actions.

    Raises:
        UserError: its spaces are malformed or not supported, or it is empty.
    """

    def __init__(self, dataset: Dataset) -> None:
        if dataset.num_episodes < 1:
            raise UserError(f"dataset {dataset.id} is empty: it has no episodes")
        try:
            observation_space, self._action_space = map(read_space, dataset.spaces)
            self._leaves, self.obs_parts = leaves(observation_space), parts(observation_space)
            self.bounds = action_bounds(self._action_space)
            self.frame_shape, self.frame_dtype = _frame(self._leaves)
            self.action_dim = _size("action", [Leaf((), self._action_space)])
        except UserError as error:
            raise UserError(f"dataset {dataset.id}: {error}") from error
        self._dataset, self._rescale = dataset, _rescaler(self.bounds)

    def __iter__(self) -> Iterator[Block]:
        """Read block after block.

        Raises:
            UserError: the data cannot be read, an episode is missing, malformed, or holds a value that is not finite.
        """
        first, waiting, size = 0, list[StoredEpisode](), 0
        for episode in self._dataset.episodes(self._leaves, self._action_space):
            _check_columns(episode, self._leaves, f"dataset {self._dataset.id}, episode {first + len(waiting)}")
            waiting.append(episode)
            size += sum(values.nbytes for values in episode)
            if size >= _BLOCK_BYTES:
                yield self._block(waiting, first)
                first, waiting, size = first + len(waiting), [], 0
        if (count := first + len(waiting)) != self._dataset.num_episodes:
            raise UserError(
                f"dataset {self._dataset.id} ends after {count} of its {self._dataset.num_episodes} episodes"
            )
        if waiting:
            yield self._block(waiting, first)

    def _block(self, episodes: Sequence[StoredEpisode], first: int) -> Block:
        where = f"dataset {self._dataset.id}, episode {first}"
        try:
            return self._converted(episodes, where)
        except (UserError, ValueError):  # NumPy's, where episodes differ in shape: alone, the wrong one is named
            if len(episodes) == 1:
                raise
            for number, episode in enumerate(episodes, start=first):
                self._block([episode], number)
            raise

    def _converted(self, episodes: Sequence[StoredEpisode], where: str) -> Block:
        *observations, action, reward, terminated = (_joined(column) for column in zip(*episodes, strict=True))
        return Block(
            frames=self._frames(observations, where),
            action=_float32(self._rescale(_flat(self._action_space, action, "actions", where)), "actions", where),
            reward=_float32(reward.reshape(-1), "rewards", where),
            terminated=_flags(terminated.reshape(-1), where),
            lengths=np.array([len(episode[-2]) for episode in episodes]),
        )

    def _frames(self, observations: Sequence[NDArray[Any]], where: str) -> NDArray[Any]:
        if self.frame_dtype == np.uint8:
            return _images(self._leaves[0], observations[0], where).reshape(-1, *self.frame_shape)
        flat = [
            _flat(leaf.space, values, leaf.name, where) for leaf, values in zip(self._leaves, observations, strict=True)
        ]
        return _float32(np.concatenate(flat, axis=1) if len(flat) > 1 else flat[0], "observations", where)


def _frame(leaves: Sequence[Leaf]) -> tuple[tuple[int, ...], "np.dtype[Any]"]:
    """Shape and type of an observation: an image, or numbers."""
    if not any(is_image(leaf.space) for leaf in leaves):
        return (_size("observation", leaves),), np.dtype(np.float32)
    if len(leaves) > 1:
        raise UserError("its observations are images and other things: only images alone, or numbers, are supported")
    return image_shape(leaves[0].space), np.dtype(np.uint8)


def _images(leaf: Leaf, values: NDArray[Any], where: str) -> NDArray[np.uint8]:
    if values.dtype != np.uint8 or values.shape[1:] != leaf.space.shape:
        raise UserError(
            f"{where}, column {leaf.name} has images {values.shape[1:]} of {values.dtype}, "
            f"its space says {leaf.space.shape} of uint8"
        )
    return values


def _size(name: str, leaves: Sequence[Leaf]) -> int:
    if not 1 <= (size := sum(width(leaf.space) for leaf in leaves)) <= _MOST_NUMBERS:
        raise UserError(f"its {name}s have {size:,} numbers each; 1 to {_MOST_NUMBERS:,} are supported")
    return size


def _check_columns(episode: StoredEpisode, leaves: Sequence[Leaf], where: str) -> None:
    """Refuse an episode whose columns are not numbers, or do not fit together."""
    *observations, action, reward, terminated = episode
    named = [(leaf.name, values) for leaf, values in zip(leaves, observations, strict=True)]
    steps, of_steps = len(reward), (("actions", action), ("terminations", terminated), ("rewards", reward))
    for name, values in (*named, *of_steps):
        if values.dtype.kind not in "biuf":
            raise UserError(f"{where}, column {name} holds {values.dtype}, which are not numbers")
    if steps == 0:
        raise UserError(f"{where} has no steps: remove it from the dataset")
    for name, values in named:
        if len(values) != steps + 1:
            raise UserError(f"{where}: {len(values)} rows of {name} for {steps} steps; there must be {steps + 1}")
    for name, values in of_steps:
        if len(values) != steps or (name != "actions" and values.size != steps):
            raise UserError(f"{where}: {name} of shape {values.shape} for {steps} steps")


def _joined(column: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return column[0] if len(column) == 1 else np.concatenate(column)


def _flat(space: "gym.Space[Any]", values: NDArray[Any], column: str, where: str) -> NDArray[Any]:
    try:
        return encode(space, values)
    except ValueError as error:
        raise UserError(f"{where}, column {column} {error}") from error


def _float32(values: NDArray[Any], column: str, where: str) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # what overflows becomes infinite, and that is an error below
        narrow = values.astype(np.float32, copy=False)
    finite = np.isfinite(narrow)
    if not finite.all():
        step, *place = (int(i) for i in np.argwhere(~finite)[0])
        column += "".join(f"[{i}]" for i in place)
        value = values[(step, *place)]
        raise UserError(f"{where}, column {column}: value {value} at step {step} is not finite in float32")
    return narrow


def _flags(values: NDArray[Any], where: str) -> NDArray[np.bool_]:
    if values.dtype != np.bool_ and (wrong := values[(values != 0) & (values != 1)]).size:
        raise UserError(f"{where}, column terminations: {wrong[0]} is neither true nor false")
    return values.astype(np.bool_, copy=False)


def _rescaler(bounds: tuple[list[float], list[float]] | None) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """Maps actions from their bounds to [-1, 1]; a coordinate without finite bounds is left as it is."""
    if bounds is None:
        return lambda action: action
    low, high = (np.array(bound, np.float64) for bound in bounds)
    with np.errstate(invalid="ignore", over="ignore"):
        bounded = np.isfinite(high - low) & (high > low)
        middle = np.where(bounded, (high + low) / 2, 0.0)
        half = np.where(bounded, (high - low) / 2, 1.0)
    if not middle.any() and (half == 1.0).all():
        return lambda action: action
    return lambda action: (action - middle) / half
