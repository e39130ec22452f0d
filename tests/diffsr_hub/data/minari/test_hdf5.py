from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from h5py import h5d, h5s, h5t

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


def test_every_episode_has_its_own_type(tmp_path: Path) -> None:
    path = tmp_path / "data.hdf5"
    columns = [
        np.array([0, 0, 0], np.int8),
        np.array([0, 300, -2], np.int16),
        np.array([0.75, 1e300]),
        np.array([0.5], ">f2"),
        np.array([True, False]),
        np.array([2**64 - 1], np.uint64),
        np.array([0.25, 2.0], np.float32),
    ]
    with h5py.File(path, "w") as file:
        for i, values in enumerate(columns):
            file[f"episode_{i}/a"] = values
    for (found,), values in zip(read_columns(path, ["a"], len(columns)), columns, strict=True):
        assert found.dtype == values.dtype and np.array_equal(found, values)


def test_numbers_that_numpy_has_no_type_for_are_converted(tmp_path: Path) -> None:
    path = tmp_path / "data.hdf5"
    bfloat16 = h5t.IEEE_F32LE.copy()
    bfloat16.set_fields(15, 7, 8, 0, 7)
    bfloat16.set_size(2)
    with h5py.File(path, "w") as file:
        group = file.create_group("episode_0")
        column = h5d.create(group.id, b"a", bfloat16, h5s.create_simple((3,)))
        column.write(h5s.ALL, h5s.ALL, np.array([1, -2.5, 2.0**100], np.float32))
    ((values,),) = read_columns(path, ["a"], 1)
    assert values.tolist() == [1, -2.5, 2.0**100]


@pytest.mark.parametrize("values", [["text"], [b"12"], np.array([1j]), np.array([(1, 2.0)], "i4,f8")])
def test_a_column_of_something_else_is_an_error(tmp_path: Path, values: Any) -> None:
    path = tmp_path / "data.hdf5"
    with h5py.File(path, "w") as file:
        file["episode_0/a"] = values
    with pytest.raises(TypeError, match=r"column /episode_0/a holds .*, which are not numbers"):
        list(read_columns(path, ["a"], 1))


def test_a_column_that_is_missing_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "data.hdf5"
    with h5py.File(path, "w") as file:
        file["episode_0/a"] = np.zeros(3)
    with pytest.raises(KeyError):
        list(read_columns(path, ["b"], 1))
