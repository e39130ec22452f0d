"""A dataset as flat float32 columns (images: uint8), some megabytes of whole episodes at a time, every value checked.

A stored episode has T+1 observations and T of everything else, and so do these columns: cutting T+1 rows by T is
how readers drift by one row per episode.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffsr_hub.data.dataset import Dataset, StoredEpisode
from diffsr_hub.data.frames import FrameFormat, flat, float32, size
from diffsr_hub.data.spaces import Leaf, action_bounds, leaves, read_space
from diffsr_hub.errors import UserError
from diffsr_hub.model.env_check import parts

_BLOCK_BYTES = 1 << 20  # enough that NumPy's calls cost nothing beside their work


class Block(NamedTuple):
    """M whole episodes, one after the other, of n transitions in all."""

    frames: NDArray[np.float32] | NDArray[np.uint8]
    """`[n + M, *frame.shape]`: every observation, also the one after the last action of each episode"""
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
        frame: how an observation is kept.
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
            self.frame = FrameFormat(self._leaves)
            self.action_dim = size("action", [Leaf((), self._action_space)])
        except UserError as error:
            raise UserError(f"dataset {dataset.id}: {error}") from error
        self._dataset, self._rescale = dataset, _rescaler(self.bounds)

    def __iter__(self) -> Iterator[Block]:
        """Read block after block.

        Raises:
            UserError: the data cannot be read, an episode is missing, malformed, or holds a value that is not finite.
        """
        first, waiting, held = 0, list[StoredEpisode](), 0
        for episode in self._dataset.episodes(self._leaves, self._action_space):
            _check_columns(episode, self._leaves, f"dataset {self._dataset.id}, episode {first + len(waiting)}")
            waiting.append(episode)
            held += sum(values.nbytes for values in episode)
            if held >= _BLOCK_BYTES:
                yield self._block(waiting, first)
                first, waiting, held = first + len(waiting), [], 0
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
            frames=self.frame.join(observations, where),
            action=float32(self._rescale(flat(self._action_space, action, "actions", where)), "actions", where),
            reward=float32(reward.reshape(-1), "rewards", where),
            terminated=_flags(terminated.reshape(-1), where),
            lengths=np.array([len(episode[-2]) for episode in episodes]),
        )


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
