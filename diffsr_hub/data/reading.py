"""A Minari dataset as flat float32 columns, a few megabytes of whole episodes at a time, every value checked.

Minari keeps T+1 observations and T of everything else per episode, and so do these columns: cutting T+1 rows by T is
how readers drift by one row per episode.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffsr_hub.data.minari.source import Source
from diffsr_hub.data.minari.stored import StoredEpisode, column_name, stored_episodes
from diffsr_hub.data.spaces import action_bounds, encode, leaves, width
from diffsr_hub.errors import UserError

if TYPE_CHECKING:
    import gymnasium as gym

_BLOCK_BYTES = 1 << 20  # enough that NumPy's calls cost nothing beside their work


class Block(NamedTuple):
    """M whole episodes, one after the other, of n transitions in all."""

    frames: NDArray[np.float32]
    """`[n + M, obs_dim]`: every observation, also the one after the last action of each episode"""
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
        source: the dataset.

    Attributes:
        obs_dim: of a flat observation.
        action_dim: of a flat action.
        bounds: lowest and highest original action; None for discrete actions.

    Raises:
        UserError: its spaces are not supported, or it is empty.
    """

    def __init__(self, source: Source) -> None:
        from minari.serialization import deserialize_space

        if source.metadata["total_episodes"] < 1:
            raise UserError(f"dataset {source.id} is empty: it has no episodes")
        try:
            self._leaves = leaves(deserialize_space(source.metadata["observation_space"]))
            self._action_space = deserialize_space(source.metadata["action_space"])
            self.bounds = action_bounds(self._action_space)
        except UserError as error:
            raise UserError(f"dataset {source.id}: {error}") from error
        self._source, self._rescale = source, _rescaler(self.bounds)
        self.obs_dim = sum(width(leaf.space) for leaf in self._leaves)
        self.action_dim = width(self._action_space)

    def __iter__(self) -> Iterator[Block]:
        """Read block after block.

        Raises:
            UserError: the data cannot be read, or an episode is malformed or holds a value that is not finite.
        """
        first, waiting, size = 0, list[StoredEpisode](), 0
        for episode in stored_episodes(self._source, self._leaves):
            waiting.append(episode)
            size += sum(values.nbytes for values in episode)
            if size >= _BLOCK_BYTES:
                yield self._block(waiting, first)
                first, waiting, size = first + len(waiting), [], 0
        if waiting:
            yield self._block(waiting, first)

    def _block(self, episodes: Sequence[StoredEpisode], first: int) -> Block:
        where = f"dataset {self._source.id}, episode {first}"
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
        frames = [
            _flat(leaf.space, values, column_name(leaf), where)
            for leaf, values in zip(self._leaves, observations, strict=True)
        ]
        return Block(
            frames=_float32(np.concatenate(frames, axis=1) if len(frames) > 1 else frames[0], "observations", where),
            action=_float32(self._rescale(_flat(self._action_space, action, "actions", where)), "actions", where),
            reward=_float32(reward.reshape(-1), "rewards", where),
            terminated=terminated.reshape(-1).astype(np.bool_, copy=False),
            lengths=np.array([len(episode[-2]) for episode in episodes]),
        )


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
