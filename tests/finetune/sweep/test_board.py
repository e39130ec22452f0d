import io
from pathlib import Path

import pytest
from rich.console import Console

from finetune.sweep.board import Board
from finetune.sweep.plan import PlannedRun, plan


@pytest.fixture
def runs(tmp_path: Path) -> list[PlannedRun]:
    return plan(["Hopper-v5"], {"scratch": {}}, [0, 1, 2], tmp_path, {})


def test_the_line_counts_the_states(runs: list[PlannedRun]) -> None:
    board = Board(runs, Console(file=io.StringIO()))
    assert str(board.line()) == "3 runs: 0 done · 0 running · 0 failed · 0 stopped · 3 left · 0:00:00"
    board.report(runs[0], "done", "")
    board.report(runs[1], "running", "")
    assert str(board.line()).startswith("3 runs: 1 done · 1 running · 0 failed · 0 stopped · 1 left")


def test_every_event_is_one_line_whatever_its_reason(runs: list[PlannedRun]) -> None:
    events = io.StringIO()
    board = Board(runs, Console(file=events))
    board.report(runs[0], "died", "error: [red]" + "long " * 50)
    board.report(runs[1], "done", "")
    first, second = events.getvalue().splitlines()
    assert first.startswith("died     Hopper-v5 scratch seed 0: error: [red]long")
    assert first.endswith("; trying again")
    assert second == "done     Hopper-v5 scratch seed 1"


def test_the_summary_names_what_failed_and_what_to_do(runs: list[PlannedRun], tmp_path: Path) -> None:
    board = Board(runs, Console(file=io.StringIO()))
    for run in runs[:2]:
        board.report(run, "done", "")
    board.report(runs[2], "failed", "out of memory")
    assert board.summary(tmp_path).splitlines() == [
        f"failed Hopper-v5 scratch seed 2: out of memory (see {runs[2].log})",
        f"2 of 3 runs are complete in {tmp_path}",
        "the same command resumes the others",
    ]
    assert list(board.failures) == ["Hopper-v5 scratch seed 2"]


def test_after_a_sweep_without_failures_comes_the_comparison(runs: list[PlannedRun], tmp_path: Path) -> None:
    board = Board(runs, Console(file=io.StringIO()))
    for run in runs:
        board.report(run, "done", "before")
    assert board.summary(tmp_path).splitlines()[-1] == f"diffsr compare {tmp_path}"
