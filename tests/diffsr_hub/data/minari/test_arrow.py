"""What Minari writes as Arrow or Parquet is read whole, whatever Arrow makes of it."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from diffsr_hub.data import load
from diffsr_hub.data.minari.arrow import Column, read_columns

FORMATS = ("arrow", "parquet")


def write(folder: Path, episode: int, part: int, data_format: str, table: pa.Table, **options: Any) -> None:
    file = folder / str(episode) / f"part-{part}.{data_format}"
    file.parent.mkdir(exist_ok=True)
    if data_format == "parquet":
        pq.write_table(table, file, **options)
    else:
        with pa.ipc.new_file(file, table.schema) as opened:
            opened.write_table(table, **options)


@pytest.mark.parametrize("data_format", FORMATS)
def test_an_episode_longer_than_a_batch_of_arrow(make: Any, data_format: str) -> None:
    lengths = [5, 131_073, 3]
    episodes = load([make(lengths=lengths, data_format=data_format)])
    assert episodes.lengths.tolist() == lengths
    long = episodes.episode(1)
    assert long.reward.tolist() == [1000.0 + step for step in range(lengths[1])]
    assert long.next_obs[-1].tolist() == [1.0, lengths[1], 0.0]
    assert episodes.episode(2).reward.tolist() == [2000.0, 2001.0, 2002.0]


@pytest.mark.parametrize(("data_format", "rows"), [("arrow", {"max_chunksize": 3}), ("parquet", {"row_group_size": 3})])
def test_batches_and_parts_follow_each_other(tmp_path: Path, data_format: str, rows: dict[str, int]) -> None:
    for part in range(11):  # whose names do not sort as numbers do
        table = pa.table({"a": np.arange(part * 7, part * 7 + 7)})
        write(tmp_path, 0, part, data_format, table, **rows)
    ((values,),) = read_columns(tmp_path, data_format, [Column(("a",), ())], 1)
    assert values.tolist() == list(range(77))


@pytest.mark.parametrize("data_format", FORMATS)
def test_every_episode_has_its_own_types(make: Any, data_format: str) -> None:
    def change(i: int, columns: dict[str, Any]) -> None:
        columns["rewards"] = [[0, 0, 0], [0, 0, 0.75], [300, 1, 2]][i]

    episodes = load([make(lengths=[3, 3, 3], change=change, data_format=data_format)])
    assert [episodes.episode(i).reward.tolist() for i in range(3)] == [[0, 0, 0], [0, 0, 0.75], [300, 1, 2]]


def test_a_part_without_numbers_is_read(tmp_path: Path) -> None:
    """Minari cannot write it: `FixedSizeListArray.from_arrays` of pyarrow 26 divides by the list's size."""
    empty = pa.array([[], [], []], type=pa.list_(pa.float64(), 0))
    observations = pa.StructArray.from_arrays([empty, pa.array([1.0, 2.0, 3.0])], names=["empty", "x"])
    write(tmp_path, 0, 0, "arrow", pa.table({"observations": observations}))
    columns = [Column(("observations", "empty"), (0,)), Column(("observations", "x"), ())]
    ((nothing, x),) = read_columns(tmp_path, "arrow", columns, 1)
    assert nothing.shape == (3, 0) and x.tolist() == [1.0, 2.0, 3.0]


def test_a_part_without_numbers_adds_none(make: Any) -> None:
    space = gym.spaces.Dict({"empty": gym.spaces.Box(-1, 1, (0,)), "x": gym.spaces.Box(-9, 9, (2,))})

    def change(_: int, columns: dict[str, Any]) -> None:
        columns["observations"] = {"empty": np.zeros((4, 0)), "x": np.arange(8.0).reshape(4, 2)}

    assert load([make(lengths=[3], change=change, observation_space=space)]).episode(0).obs[1].tolist() == [2.0, 3.0]


@pytest.mark.parametrize("data_format", FORMATS)
def test_rows_of_another_length_are_named(make: Any, tmp_path: Path, data_format: str) -> None:
    folder = tmp_path / "datasets" / make(lengths=[2], data_format=data_format) / "data"
    rows = pa.FixedSizeListArray.from_arrays(np.zeros(12), type=pa.list_(pa.float64(), 4))
    actions = pa.FixedSizeListArray.from_arrays(np.zeros(6), type=pa.list_(pa.float64(), 2))
    table = {"observations": rows, "actions": actions, "rewards": np.zeros(3), "terminations": np.zeros(3, bool)}
    write(folder, 0, 0, data_format, pa.table(table))
    with pytest.raises(ValueError, match=r"episode 0, column observations has rows of shape \(4,\), its space says"):
        load(["test/coded-v0"])


@pytest.mark.parametrize("data_format", FORMATS)
def test_a_value_that_is_missing_is_refused(make: Any, tmp_path: Path, data_format: str) -> None:
    folder = tmp_path / "datasets" / make(lengths=[2], data_format=data_format) / "data"
    observations = pa.FixedSizeListArray.from_arrays(np.zeros(9), type=pa.list_(pa.float64(), 3))
    actions = pa.FixedSizeListArray.from_arrays(np.zeros(6), type=pa.list_(pa.float64(), 2))
    ends = pa.array([False, None, False])
    table = {"observations": observations, "actions": actions, "rewards": np.zeros(3), "terminations": ends}
    write(folder, 0, 0, data_format, pa.table(table))
    with pytest.raises(ValueError, match="column terminations holds object, which are not numbers"):
        load(["test/coded-v0"])
