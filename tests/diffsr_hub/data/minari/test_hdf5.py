from pathlib import Path

import h5py
import numpy as np
import pytest

from diffsr_hub.data.minari.hdf5 import read_columns


def test_columns_are_those_of_h5py(tmp_path: Path) -> None:
    path, rng = tmp_path / "data.hdf5", np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for episode in range(12):
            steps = int(rng.integers(1, 3000))
            group = file.create_group(f"episode_{episode}")
            group.create_dataset("a", data=rng.standard_normal((steps, 5)), chunks=True, compression="gzip")
            group.create_dataset("b/_index_0", data=rng.integers(0, 9, steps), dtype=">i4")
            group.create_dataset("c", data=rng.random(steps) < 0.5)
    names = ["a", "b/_index_0", "c"]
    with h5py.File(path) as file:
        for episode, columns in enumerate(read_columns(path, names, 12)):
            for name, values in zip(names, columns, strict=True):
                expected = file[f"episode_{episode}/{name}"]
                assert np.array_equal(values, expected[()])
                assert values.dtype == expected.dtype
    assert episode == 11


def test_an_episode_of_another_type_is_converted(tmp_path: Path) -> None:
    path = tmp_path / "data.hdf5"
    with h5py.File(path, "w") as file:
        file["episode_0/a"] = np.array([0.5], np.float64)
        file["episode_1/a"] = np.array([0.25, 2.0], np.float32)
    assert [columns[0].tolist() for columns in read_columns(path, ["a"], 2)] == [[0.5], [0.25, 2.0]]


def test_a_column_that_is_missing_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "data.hdf5"
    with h5py.File(path, "w") as file:
        file["episode_0/a"] = np.zeros(3)
    with pytest.raises(KeyError):
        list(read_columns(path, ["b"], 1))
