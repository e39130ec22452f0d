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


def test_batches_that_arrow_cut_are_noticed(make: Any, tmp_path: Path) -> None:
    identifier = make(data_format="arrow")
    rewrite_metadata(tmp_path, identifier, total_steps=12)
    with pytest.raises(UserError, match="13 steps read, 12 expected"):
        load([identifier])


def test_infos_are_not_needed(make: Any, tmp_path: Path) -> None:
    def with_infos(_: int, columns: dict[str, Any]) -> None:
        columns["infos"] = {"x": np.zeros(len(columns["observations"]))}

    assert load([make(change=with_infos)]).num_transitions == 13
