"""What was played as a Minari dataset."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from minari.data_collector.episode_buffer import EpisodeBuffer
from minari.dataset.minari_storage import MinariStorage
from numpy.typing import NDArray

from diffsr_hub.data.minari.source import main_file
from pretrain.behaviour.linear import Episode
from pretrain.behaviour.mixture import Mixture

_EPISODE_OVERHEAD = 1 << 15  # bytes; HDF5's own, twice what was measured
_PICTURES_IN_A_CHUNK = 16
_ZEROS = bytes(1 << 20)


def write_dataset(folder: Path, mixture: Mixture, metadata: dict[str, Any]) -> None:
    """Write a dataset into a folder of our choice.

    Through Minari's storage, as `minari.create_dataset_from_buffers` only writes in place, where others see half of it.

    Args:
        folder: Is made.
        mixture: What was played.
        metadata: Of the dataset.

    Raises:
        OSError: There is no space for it.
    """
    folder.mkdir()
    _check_space(folder / "probe", [episode for _, episode in mixture.episodes])
    env = mixture.env
    # JPEG would change pictures by up to 160 of 255: an encoder would see others than the environment shows.
    storage = MinariStorage.new(folder / "data", env.observation_space, env.action_space, env.spec, jpeg_encoding=False)
    storage.update_metadata(metadata)
    if env.observation_space.dtype == np.uint8:
        _prepare_pictures(main_file(folder / "data"), len(mixture.episodes), env.observation_space.shape or ())
    storage.update_episodes(EpisodeBuffer(id=i, **episode._asdict()) for i, (_, episode) in enumerate(mixture.episodes))
    notes = mixture.notes or [{}] * len(mixture.episodes)
    storage.update_episode_metadata(
        {"policy": cell.policy, "noise": cell.noise} | note
        for (cell, _), note in zip(mixture.episodes, notes, strict=True)
    )


def _prepare_pictures(file: Path, episodes: int, shape: tuple[int, ...]) -> None:
    """Make empty columns of pictures that HDF5 compresses without loss; Minari appends to a column that is there."""
    chunk = {"chunks": (_PICTURES_IN_A_CHUNK, *shape), "maxshape": (None, *shape)}
    with h5py.File(file, "a", track_order=True) as opened:
        for number in range(episodes):
            group = opened.create_group(f"episode_{number}")
            group.create_dataset("observations", (0, *shape), np.uint8, **chunk, compression="gzip", compression_opts=1)


def _check_space(probe: Path, episodes: Sequence[Episode]) -> None:
    """Fill a file as large as the dataset may get: HDF5 meets a full disk with hundreds of tracebacks and a crash."""
    payload = sum(values.nbytes for episode in episodes for values in _values(episode))
    with probe.open("wb") as file:
        for _ in range((2 * payload + _EPISODE_OVERHEAD * len(episodes)) // len(_ZEROS) + 1):
            file.write(_ZEROS)
    probe.unlink()


def _values(episode: Episode) -> Iterator[NDArray[Any]]:
    yield from (episode.observations, episode.actions, episode.rewards, episode.terminations, episode.truncations)
    yield from (episode.infos or {}).values()
