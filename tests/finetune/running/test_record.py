"""Laws of what is written on the way: files that others can read, no row twice, also after a resumption."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from finetune.acting.evaluation import Evaluation
from finetune.running.record import CURVE, Record
from finetune.running.run_folder import RunFolder


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def record(folder: RunFolder) -> Record:
    return Record(folder, env="Hopper-v5", arm="mine", seed=3)


def rows(file: Path) -> list[dict[str, str]]:
    with file.open() as text:
        return list(csv.DictReader(text))


def test_the_curve_and_the_evaluation_hold_the_same(folder):
    found = record(folder)
    found.evaluated(0, 0.0, Evaluation((1.0, 3.0), (5, 7)))
    found.evaluated(100, 2.5, Evaluation((4.0,), (9,)))
    stored = json.loads(folder.evaluation.read_text())
    assert (stored["arm"], stored["env"], stored["seed"]) == ("mine", "Hopper-v5", 3)
    assert [e["step"] for e in stored["evaluations"]] == [0, 100]
    assert stored["evaluations"][0]["returns"] == [1, 3]
    table = rows(folder.curve)
    assert list(table[0]) == [name for name in CURVE if name != "success_rate"]
    assert [float(row["mean_return"]) for row in table] == [2, 4]


def test_success_is_there_where_the_environment_says(folder):
    record(folder).evaluated(0, 0.0, Evaluation((1.0,), (5,), (True,)))
    assert rows(folder.curve)[0]["success_rate"] == "1.0"


def test_columns_that_come_later_are_added(folder):
    found = record(folder)
    found.log({"step": 10, "a": 1.0})
    found.log({"step": 20, "a": 2.0, "b": 3.0})
    found.close()
    assert rows(folder.progress) == [{"step": "10", "a": "1.0", "b": ""}, {"step": "20", "a": "2.0", "b": "3.0"}]


def test_a_resumed_run_repeats_no_row(folder):
    """Rows that were written after the checkpoint are written anew, once."""
    first = record(folder)
    first.log({"step": 10, "a": 1.0})
    first.evaluated(10, 1.0, Evaluation((1.0,), (5,)))
    state = json.loads(json.dumps(first.state_dict()))
    first.log({"step": 20, "a": 2.0})
    first.evaluated(20, 2.0, Evaluation((2.0,), (5,)))
    first.close()
    second = record(folder)
    second.load_state_dict(state)
    second.log({"step": 20, "a": 2.5})
    second.evaluated(20, 2.0, Evaluation((3.0,), (5,)))
    second.close()
    assert [row["a"] for row in rows(folder.progress)] == ["1.0", "2.5"]
    assert [row["mean_return"] for row in rows(folder.curve)] == ["1.0", "3.0"]


def test_tensorboard_shows_the_rows(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = record(folder)
    for step in (10, 20):
        found.log({"step": step, "critic_loss": step / 10})
    found.close()
    events: Any = EventAccumulator(str(folder.tensorboard))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("train/critic_loss")] == [(10, 1), (20, 2)]


def test_the_picture_is_a_picture(folder):
    found = record(folder)
    for step in (0, 100):
        found.evaluated(step, 0.0, Evaluation((1.0, 2.0), (5, 5)))
    found.draw()
    assert folder.curve.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


def test_closing_twice_or_without_rows_is_fine(folder):
    found = record(folder)
    found.close()
    found.log({"step": 1})
    found.close()
    found.close()
