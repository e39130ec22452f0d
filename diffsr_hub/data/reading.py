"""A Minari dataset as flat float32 columns, one episode at a time, every value checked.

Minari keeps T+1 observations and T of everything else per episode. Nothing here ever joins two episodes: that is how
readers drift by one row per episode.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffsr_hub.data.source import Source, main_file
from diffsr_hub.data.spaces import Leaf, action_bounds, encode, leaves, width
from diffsr_hub.errors import UserError

if TYPE_CHECKING:
    import gymnasium as gym

Raw = list[NDArray[Any]]
"""The leaves of the observation, then action, reward, terminated, as they are stored."""


class EpisodeColumns(NamedTuple):
    """One episode of T transitions."""

    frames: NDArray[np.float32]
    """`[T + 1, obs_dim]`: every observation, also the one after the last action"""
    action: NDArray[np.float32]
    """`[T, action_dim]`, in [-1, 1] or one-hot"""
    reward: NDArray[np.float32]
    """`[T]`"""
    terminated: NDArray[np.bool_]
    """`[T]`"""


class Reader:
    """Reads one dataset.

    Args:
        source: the dataset.

    Raises:
        UserError: its spaces or its storage format are not supported, or it is empty.
    """

    def __init__(self, source: Source) -> None:
        from minari.serialization import deserialize_space

        self._source = source
        try:
            self._leaves = leaves(deserialize_space(source.metadata["observation_space"]))
            self._action_space = deserialize_space(source.metadata["action_space"])
            self._bounds = action_bounds(self._action_space)
        except UserError as error:
            raise UserError(f"dataset {source.id}: {error}") from error
        self._episodes = int(source.metadata["total_episodes"])
        if self._episodes < 1:
            raise UserError(f"dataset {source.id} is empty: it has no episodes")
        self.obs_dim = sum(width(leaf.space) for leaf in self._leaves)
        self.action_dim = width(self._action_space)

    @property
    def action_low(self) -> list[float] | None:
        """Lowest original action; None for discrete actions."""
        return None if self._bounds is None else self._bounds[0]

    @property
    def action_high(self) -> list[float] | None:
        """Highest original action; None for discrete actions."""
        return None if self._bounds is None else self._bounds[1]

    def __iter__(self) -> Iterator[EpisodeColumns]:
        """Read episode after episode.

        Raises:
            UserError: the data cannot be read, or an episode is malformed or holds a value that is not finite.
        """
        rescale = _rescaler(self._bounds)
        raw = _translated(self._raw(), self._source)
        for number in range(self._episodes):
            columns = next(raw, None)
            if columns is None:
                raise UserError(
                    f"dataset {self._source.id} ends before episode {number} of {self._episodes}; download it again"
                )
            where = f"dataset {self._source.id}, episode {number}"
            _check_lengths(columns, self._leaves, where)
            *observations, action, reward, terminated = columns
            frames = [
                _flat(leaf.space, values, _column(leaf), where)
                for leaf, values in zip(self._leaves, observations, strict=True)
            ]
            action = rescale(_flat(self._action_space, action, "actions", where))
            yield EpisodeColumns(
                frames=_float32(
                    np.concatenate(frames, axis=1) if len(frames) > 1 else frames[0], "observations", where
                ),
                action=_float32(action, "actions", where),
                reward=_float32(reward.reshape(-1), "rewards", where),
                terminated=terminated.reshape(-1).astype(np.bool_),
            )

    def _raw(self) -> Iterator[Raw]:
        if self._source.metadata["data_format"] != "hdf5":
            return _through_minari(self._source, self._leaves, self._episodes)
        from diffsr_hub.data.hdf5 import read_columns

        observations = ["/".join(["observations", *map(_hdf5_name, leaf.path)]) for leaf in self._leaves]
        names = [*observations, "actions", "rewards", "terminations"]
        return read_columns(main_file(self._source.folder), names, self._episodes)


def _hdf5_name(key: str | int) -> str:
    return f"_index_{key}" if isinstance(key, int) else key


def _through_minari(source: Source, observation_leaves: Sequence[Leaf], episodes: int) -> Iterator[Raw]:
    """Arrow and Parquet through the storage that `MinariDataset.iterate_episodes` reads.

    Not through `MinariDataset` itself, which also parses the environment's spec: some published ones crash.
    """
    from minari.dataset.minari_storage import MinariStorage

    steps = 0
    for episode in MinariStorage.read(source.folder).get_episodes(range(episodes)):
        steps += len(episode["rewards"])
        observations = [_descend(episode["observations"], leaf.path) for leaf in observation_leaves]
        yield [*observations, episode["actions"], episode["rewards"], episode["terminations"]]
    if steps != source.metadata.get("total_steps", steps):
        # Minari's reader takes each record batch for an episode, and Arrow cuts batches at 131,072 rows.
        raise ValueError(f"{steps} steps read, {source.metadata['total_steps']} expected")


def _descend(nested: Any, path: tuple[str | int, ...]) -> NDArray[Any]:
    for key in path:
        nested = nested[key]
    return np.asarray(nested)


def _translated(raw: Iterator[Raw], source: Source) -> Iterator[Raw]:
    """Say in one line what any of the storage libraries could not read."""
    try:
        yield from raw
    except PermissionError as error:
        raise UserError(f"dataset {source.id}: no permission to read {source.folder}") from error
    except Exception as error:  # h5py and pyarrow raise a dozen types for damaged files
        file = main_file(source.folder)
        raise UserError(
            f"dataset {source.id}: {file if file.exists() else source.folder} cannot be read, it may be damaged "
            f"({_first_line(error)}); delete it and download it again"
        ) from error


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _check_lengths(columns: Raw, observation_leaves: Sequence[Leaf], where: str) -> None:
    *observations, action, reward, terminated = columns
    steps = len(reward)
    if steps == 0:
        raise UserError(f"{where} has no steps: remove it from the dataset")
    for leaf, values in zip(observation_leaves, observations, strict=True):
        if len(values) != steps + 1:
            raise UserError(
                f"{where}: {len(values)} rows of {_column(leaf)} for {steps} steps; there must be one more, {steps + 1}"
            )
    for name, values in (("actions", action), ("terminations", terminated), ("rewards", reward)):
        if len(values) != steps or (name != "actions" and values.size != steps):
            raise UserError(f"{where}: {name} of shape {values.shape} for {steps} steps")


def _flat(space: "gym.Space[Any]", values: NDArray[Any], column: str, where: str) -> NDArray[Any]:
    try:
        return encode(space, values)
    except ValueError as error:
        raise UserError(f"{where}, column {column} {error}") from error


def _column(leaf: Leaf) -> str:
    return "observations" + "".join(f"[{key!r}]" for key in leaf.path)


def _float32(values: NDArray[Any], column: str, where: str) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # what overflows becomes infinite, and that is an error below
        narrow = values.astype(np.float32, copy=False)
    finite = np.isfinite(narrow)
    if not finite.all():
        step, *place = (int(i) for i in np.argwhere(~finite)[0])
        name = column + "".join(f"[{i}]" for i in place)
        raise UserError(
            f"{where}, column {name}: value {values[(step, *place)]} at step {step} is not finite in float32"
        )
    return narrow


def _rescaler(bounds: tuple[list[float], list[float]] | None) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """Maps actions from their bounds to [-1, 1]; a coordinate without finite bounds is left as it is."""
    if bounds is None:
        return lambda action: action
    low, high = (np.array(bound, np.float64) for bound in bounds)
    with np.errstate(invalid="ignore", over="ignore"):
        bounded = np.isfinite(low) & np.isfinite(high) & np.isfinite(high - low) & (high > low)
        middle = np.where(bounded, (high + low) / 2, 0.0)
        half = np.where(bounded, (high - low) / 2, 1.0)
    if not middle.any() and (half == 1.0).all():
        return lambda action: action
    return lambda action: (action - middle) / half
