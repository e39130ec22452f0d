"""Whatever numbers are stored, those are loaded: as float32, or the dataset is refused."""

import itertools
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from minari.data_collector.episode_buffer import EpisodeBuffer
from numpy.typing import NDArray

from diffsr_hub.data import load
from diffsr_hub.errors import UserError
from tests.datasets import store

_TYPES = ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "?", ">i2", ">i8", ">f4", ">f8")
_numbers = itertools.count()


@st.composite
def columns(draw: st.DrawFn, length: int, width: int | None) -> NDArray[Any]:
    """Numbers of any type, as one episode may have them."""
    shape = (length,) if width is None else (length, width)
    return draw(st_numpy.arrays(draw(st.sampled_from(_TYPES)), shape))


@st.composite
def episodes(draw: st.DrawFn) -> list[dict[str, NDArray[Any]]]:
    lengths = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    return [{"observations": draw(columns(n + 1, 2)), "rewards": draw(columns(n, None))} for n in lengths]


def _stored(episodes: list[dict[str, NDArray[Any]]], data_format: str) -> str:
    buffers = [
        EpisodeBuffer(
            id=i,
            actions=np.zeros((len(episode["rewards"]), 1), np.float32),
            terminations=np.zeros(len(episode["rewards"]), bool),
            truncations=np.zeros(len(episode["rewards"]), bool),
            **episode,
        )
        for i, episode in enumerate(episodes)
    ]
    options = {"observation_space": spaces.Box(-9, 9, (2,), np.float64), "action_space": spaces.Box(-1, 1, (1,))}
    return store(f"test/any{next(_numbers)}-v0", buffers, data_format=data_format, **options)


@pytest.mark.parametrize("data_format", ["hdf5", "arrow", "parquet"])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_what_was_written_is_what_is_read(data_format: str, data: st.DataObject) -> None:
    written = data.draw(episodes())
    if data_format != "hdf5":  # Minari itself makes what the space says of observations
        for episode in written:
            little = episode["rewards"].dtype.newbyteorder("=")
            episode["rewards"] = episode["rewards"].astype(little)
            with np.errstate(all="ignore"):
                episode["observations"] = episode["observations"].astype(np.float64)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINARI_DATASETS_PATH", folder)
        _check(written, _stored(written, data_format), Path(folder) / "cache")
        shutil.rmtree(folder)
        Path(folder).mkdir()


def _check(written: list[dict[str, NDArray[Any]]], identifier: str, cache: Path) -> None:
    with np.errstate(all="ignore"):
        expected = [{name: values.astype(np.float32) for name, values in episode.items()} for episode in written]
    if not all(np.isfinite(values).all() for episode in expected for values in episode.values()):
        with pytest.raises(UserError, match="is not finite in float32"):
            load([identifier], cache_dir=cache)
        return
    loaded = load([identifier], cache_dir=cache)
    for i, episode in enumerate(expected):
        found = loaded.episode(i)
        assert np.array_equal(found.reward, episode["rewards"])
        assert np.array_equal(found.obs, episode["observations"][:-1])
        assert np.array_equal(found.next_obs, episode["observations"][1:])
