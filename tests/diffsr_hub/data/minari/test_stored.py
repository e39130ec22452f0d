import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from diffsr_hub.data import load
from diffsr_hub.errors import UserError


def data_folder(tmp_path: Path, identifier: str) -> Path:
    return tmp_path / "datasets" / identifier / "data"


def rewrite_metadata(tmp_path: Path, identifier: str, **changes: Any) -> None:
    path = data_folder(tmp_path, identifier) / "metadata.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_wrong_number_of_observations_is_named(make: Any) -> None:
    def drop(i: int, columns: dict[str, Any]) -> None:
        if i == 2:
            columns["observations"] = columns["observations"][:-1]

    with pytest.raises(UserError, match="episode 2: 7 rows of observations for 7 steps; there must be 8"):
        load([make(change=drop)])


@pytest.mark.parametrize("column", ["actions", "terminations"])
def test_other_columns_of_a_wrong_length_are_named(make: Any, column: str) -> None:
    def drop(i: int, columns: dict[str, Any]) -> None:
        if i == 0:
            columns[column] = columns[column][:-1]

    with pytest.raises(UserError, match=f"episode 0: {column} of shape .* for 5 steps"):
        load([make(change=drop)])


def test_an_episode_without_steps_is_named(make: Any, tmp_path: Path) -> None:
    identifier = make()
    with h5py.File(data_folder(tmp_path, identifier) / "main_data.hdf5", "a") as file:
        for name in ("actions", "rewards", "terminations"):
            file["episode_1"][name].resize(0, axis=0)
    with pytest.raises(UserError, match="test/coded-v0, episode 1 has no steps"):
        load([identifier])


@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty"])
def test_a_damaged_file_is_named(make: Any, tmp_path: Path, damage: str) -> None:
    identifier = make()
    path = data_folder(tmp_path, identifier) / "main_data.hdf5"
    data = path.read_bytes()
    path.write_bytes({"truncated": data[: len(data) // 2], "garbage": b"x" * 1000, "empty": b""}[damage])
    with pytest.raises(UserError, match=r"main_data.hdf5 cannot be read, it may be damaged .*download it again"):
        load([identifier])
    assert not list((tmp_path / "cache").rglob("*.npy"))


def test_missing_episodes_are_noticed(make: Any, tmp_path: Path) -> None:
    identifier = make()
    rewrite_metadata(tmp_path, identifier, total_episodes=4)
    with pytest.raises(UserError, match=r"main_data.hdf5 cannot be read"):
        load([identifier])


@pytest.mark.parametrize("data_format", ["arrow", "parquet"])
def test_steps_that_are_missing_are_noticed(make: Any, tmp_path: Path, data_format: str) -> None:
    identifier = make(data_format=data_format)
    rewrite_metadata(tmp_path, identifier, total_steps=14)
    with pytest.raises(UserError, match="holds 13 steps, and its metadata say 14"):
        load([identifier])


@pytest.mark.parametrize("data_format", ["arrow", "parquet"])
def test_an_episode_too_few_observations_loses_no_reward(make: Any, data_format: str) -> None:
    def drop(i: int, columns: dict[str, Any]) -> None:
        if i == 2:  # what Minari pads by nothing, and cuts by one
            columns["observations"] = columns["observations"][:-1]

    with pytest.raises(UserError, match=r"holds 12 steps, and its metadata say 13; .* one observation more"):
        load([make(change=drop, data_format=data_format)])


def test_a_file_that_is_missing_is_named(make: Any, tmp_path: Path) -> None:
    identifier = make(data_format="arrow")
    (data_folder(tmp_path, identifier) / "1/part-0.arrow").unlink()
    with pytest.raises(UserError, match=r"cannot be read, .*episode 1 has no file \*.arrow"):
        load([identifier])


@pytest.mark.parametrize("name", ["main_data.hdf5", "metadata.json", "1/part-0.arrow", "1/part-0.parquet"])
def test_a_pointer_of_git_lfs_is_recognised(make: Any, tmp_path: Path, name: str) -> None:
    data_format = "hdf5" if "/" not in name else name.rpartition(".")[2]
    path = data_folder(tmp_path, make(data_format=data_format)) / name
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(UserError, match=rf"{path.name} is a pointer of Git LFS, .*run `git lfs pull`"):
        load(["test/coded-v0"])


@pytest.mark.parametrize("values", [["a"] * 5, [b"0.5"] * 5, np.full(5, 1j)])
def test_a_column_that_is_not_of_numbers_is_refused(make: Any, tmp_path: Path, values: Any) -> None:
    identifier = make()
    with h5py.File(data_folder(tmp_path, identifier) / "main_data.hdf5", "a") as file:
        del file["episode_0/rewards"]
        file["episode_0"]["rewards"] = values
    with pytest.raises(UserError, match=r"rewards holds .*, which are not numbers"):
        load([identifier])


@pytest.mark.parametrize("value", [2, -1, 0.5, np.nan])
def test_an_end_that_is_neither_true_nor_false_is_refused(make: Any, value: float) -> None:
    def spoil(i: int, columns: dict[str, Any]) -> None:
        if i == 2:
            columns["terminations"] = columns["terminations"].astype(float)
            columns["terminations"][3] = value

    with pytest.raises(UserError, match=f"episode 2, column terminations: {float(value)} is neither true nor false"):
        load([make(change=spoil)])


def test_infos_are_not_needed(make: Any, tmp_path: Path) -> None:
    def with_infos(_: int, columns: dict[str, Any]) -> None:
        columns["infos"] = {"x": np.zeros(len(columns["observations"]))}

    assert load([make(change=with_infos)]).num_transitions == 13
