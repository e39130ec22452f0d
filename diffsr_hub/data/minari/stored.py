"""The episodes of a Minari dataset as its storage holds them, and what can be wrong with them said in one line."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffsr_hub.data.minari.source import Source, main_file
from diffsr_hub.data.spaces import Leaf
from diffsr_hub.errors import UserError

StoredEpisode = list[NDArray[Any]]
"""The leaves of the observation, T+1 rows each; then action, reward and terminated, T rows each."""


def stored_episodes(source: Source, leaves: Sequence[Leaf]) -> Iterator[StoredEpisode]:
    """Read all episodes in the order of their number.

    Args:
        source: the dataset.
        leaves: of its observation space.

    Raises:
        UserError: the files cannot be read or do not hold every episode, or an episode's columns do not fit together.
    """
    episodes = _through_hdf5(source, leaves) if source.is_hdf5 else _through_minari(source, leaves)
    count = 0
    for episode in _readable(episodes, source):
        _check_lengths(episode, leaves, f"dataset {source.id}, episode {count}")
        yield episode
        count += 1
    if count != source.metadata["total_episodes"]:
        raise UserError(f"dataset {source.id} ends after {count} of its {source.metadata['total_episodes']} episodes")


def column_name(leaf: Leaf) -> str:
    """How errors name a leaf: `observations['position']`."""
    return "observations" + "".join(f"[{key!r}]" for key in leaf.path)


def _through_hdf5(source: Source, leaves: Sequence[Leaf]) -> Iterator[StoredEpisode]:
    from diffsr_hub.data.minari.hdf5 import read_columns

    observations = ["/".join(["observations", *map(_hdf5_name, leaf.path)]) for leaf in leaves]
    names = [*observations, "actions", "rewards", "terminations"]
    return read_columns(main_file(source.folder), names, source.metadata["total_episodes"])


def _hdf5_name(key: str | int) -> str:
    return f"_index_{key}" if isinstance(key, int) else key


def _through_minari(source: Source, leaves: Sequence[Leaf]) -> Iterator[StoredEpisode]:
    """Arrow and Parquet through the storage that `MinariDataset.iterate_episodes` reads.

    Not through `MinariDataset` itself, which also parses the environment's spec: some published ones crash.
    """
    from minari.dataset.minari_storage import MinariStorage

    steps = 0
    for episode in MinariStorage.read(source.folder).get_episodes(range(source.metadata["total_episodes"])):
        steps += len(episode["rewards"])
        observations = [_descend(episode["observations"], leaf.path) for leaf in leaves]
        yield [*observations, episode["actions"], episode["rewards"], episode["terminations"]]
    if steps != source.metadata.get("total_steps", steps):
        # Minari takes each record batch for an episode, and Arrow cuts batches at 131,072 rows.
        raise ValueError(f"{steps} steps read, {source.metadata['total_steps']} expected")


def _descend(nested: Any, path: tuple[str | int, ...]) -> NDArray[Any]:
    for key in path:
        nested = nested[key]
    return np.asarray(nested)


def _readable(episodes: Iterator[StoredEpisode], source: Source) -> Iterator[StoredEpisode]:
    try:
        yield from episodes
    except PermissionError as error:
        raise UserError(f"dataset {source.id}: no permission to read {source.folder}") from error
    except Exception as error:  # h5py and pyarrow raise a dozen types for damaged files
        place = main_file(source.folder) if source.is_hdf5 else source.folder
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise UserError(
            f"dataset {source.id}: {place} cannot be read, it may be damaged ({reason}); "
            "delete it and download it again"
        ) from error


def _check_lengths(episode: StoredEpisode, leaves: Sequence[Leaf], where: str) -> None:
    *observations, action, reward, terminated = episode
    steps = len(reward)
    if steps == 0:
        raise UserError(f"{where} has no steps: remove it from the dataset")
    for leaf, values in zip(leaves, observations, strict=True):
        if len(values) != steps + 1:
            raise UserError(
                f"{where}: {len(values)} rows of {column_name(leaf)} for {steps} steps; there must be {steps + 1}"
            )
    for name, values in (("actions", action), ("terminations", terminated), ("rewards", reward)):
        if len(values) != steps or (name != "actions" and values.size != steps):
            raise UserError(f"{where}: {name} of shape {values.shape} for {steps} steps")
