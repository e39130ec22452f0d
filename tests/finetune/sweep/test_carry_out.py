"""Laws of a sweep: nothing runs twice, what dies is resumed and stops nothing else, a stop stops everything."""

import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from diffsr_hub.runs.lock import InUse
from finetune.sweep.carry_out import State, carry_out, last_line
from finetune.sweep.launchers import Program
from finetune.sweep.plan import PlannedRun, plan

Event = tuple[int, State, str]


class Trainings:
    """A launcher of pretended trainings; `script` says for each seed and attempt with which code it ends."""

    def __init__(self, runs: list[PlannedRun], script: dict[int, list[int]]) -> None:
        self.runs, self.script = {run.log: run for run in runs}, script
        self.lock = threading.Lock()
        self.started: list[int] = []
        self.commands: list[str] = []
        self.events: list[Event] = []

    def launch(self, program: Program) -> int:
        run = self.runs[program.log]
        with self.lock:
            self.started.append(run.seed)
            self.commands.append(program.command[5])
        code = self.script.get(run.seed, [0]).pop(0)
        run.folder.mkdir(parents=True, exist_ok=True)
        (run.folder / "config.yaml").touch()
        program.log.write_text(f"loading\nerror {code}\n\n")
        if code == 0:
            (run.folder / "agent").mkdir()
            (run.folder / "agent" / "config.json").touch()
        return code

    def report(self, run: PlannedRun, state: State, why: str) -> None:
        with self.lock:
            self.events.append((run.seed, state, why))

    def final(self) -> dict[int, State]:
        return {seed: state for seed, state, _ in self.events}


@pytest.fixture
def runs(tmp_path: Path) -> list[PlannedRun]:
    return plan(["Hopper-v5"], {"scratch": {}}, range(4), tmp_path, {})


def carry(runs: list[PlannedRun], trainings: Trainings, tmp_path: Path, retries: int = 1, workers: int = 2) -> None:
    carry_out(runs, trainings.launch, workers=workers, retries=retries, stop=tmp_path / "stop", report=trainings.report)


def test_every_run_is_started_once(runs: list[PlannedRun], tmp_path: Path) -> None:
    trainings = Trainings(runs, {})
    carry(runs, trainings, tmp_path)
    assert sorted(trainings.started) == [0, 1, 2, 3]
    assert trainings.final() == dict.fromkeys(range(4), "done")


def test_finished_runs_are_skipped(runs: list[PlannedRun], tmp_path: Path) -> None:
    carry(runs[:2], Trainings(runs, {}), tmp_path)
    trainings = Trainings(runs, {})
    carry(runs, trainings, tmp_path)
    assert sorted(trainings.started) == [2, 3]
    assert trainings.final() == dict.fromkeys(range(4), "done")


def test_a_run_that_dies_is_resumed(runs: list[PlannedRun], tmp_path: Path) -> None:
    trainings = Trainings(runs, {0: [-9, 0]})
    carry(runs[:1], trainings, tmp_path)
    assert trainings.events == [
        (0, "running", ""),
        (0, "died", "exit code -9: error -9"),
        (0, "running", "again"),
        (0, "done", ""),
    ]
    assert trainings.commands == ["--config", "--resume"]


def test_a_run_that_dies_too_often_stops_nothing_else(runs: list[PlannedRun], tmp_path: Path) -> None:
    trainings = Trainings(runs, {1: [1, 1, 1, 1]})
    carry(runs, trainings, tmp_path, retries=2)
    assert trainings.started.count(1) == 3
    assert trainings.final() == {0: "done", 1: "failed", 2: "done", 3: "done"}


def test_a_run_that_says_what_is_wrong_with_its_input_is_not_tried_again(
    runs: list[PlannedRun], tmp_path: Path
) -> None:
    trainings = Trainings(runs, {0: [2, 0]})
    carry(runs[:1], trainings, tmp_path, retries=3)
    assert trainings.events == [(0, "running", ""), (0, "failed", "exit code 2: error 2")]


def test_a_run_that_finds_its_folder_in_use_is_tried_again(runs: list[PlannedRun], tmp_path: Path) -> None:
    trainings = Trainings(runs, {0: [InUse.exit_code, 0]})
    carry(runs[:1], trainings, tmp_path)
    assert [state for _, state, _ in trainings.events] == ["running", "died", "running", "done"]


def test_exit_code_0_without_an_agent_is_no_success(runs: list[PlannedRun], tmp_path: Path) -> None:
    trainings = Trainings(runs, {})
    carry_out(runs[:1], lambda program: 0, workers=1, retries=0, stop=tmp_path / "stop", report=trainings.report)
    assert trainings.events[-1] == (0, "failed", "exit code 0: no output")


def test_a_lost_worker_is_a_run_that_died(runs: list[PlannedRun], tmp_path: Path) -> None:
    trainings = Trainings(runs, {})

    def lose(program: Program) -> int:
        if not trainings.started:
            trainings.started.append(-1)
            raise ConnectionError("node 3\nis gone")
        return trainings.launch(program)

    carry_out(runs, lose, workers=1, retries=1, stop=tmp_path / "stop", report=trainings.report)
    assert trainings.events[1] == (0, "died", "ConnectionError: node 3 is gone")
    assert trainings.final() == dict.fromkeys(range(4), "done")


def test_no_more_than_the_workers_run_at_a_time(runs: list[PlannedRun], tmp_path: Path) -> None:
    trainings, meeting = Trainings(runs, {}), threading.Barrier(2, timeout=10)

    def meet(program: Program) -> int:
        meeting.wait()  # passes if two run, and would break if the second waited for the first
        return trainings.launch(program)

    carry_out(runs, meet, workers=2, retries=0, stop=tmp_path / "stop", report=trainings.report)
    assert trainings.final() == dict.fromkeys(range(4), "done")


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_asks_for_a_stop_waits_and_starts_nothing_more(
    runs: list[PlannedRun], tmp_path: Path, workers: int
) -> None:
    trainings, stop = Trainings(runs, {}), tmp_path / "stop"

    def interrupted(program: Program) -> int:
        with trainings.lock:
            trainings.started.append(0)
            if len(trainings.started) == 1:
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)  # where a terminal's goes
        _wait_until(stop.exists)
        return 130

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            carry_out(runs, interrupted, workers=workers, retries=3, stop=stop, report=trainings.report)
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(trainings.started) <= workers
    assert set(trainings.final().values()) == {"stopped"}


def test_the_last_line_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert last_line(log) == "no output"
    log.write_text("")
    assert last_line(log) == "no output"
    log.write_bytes(b"x" * 100_000 + b"\nit \xff broke\n \n")
    assert last_line(log) == "it \N{REPLACEMENT CHARACTER} broke"


def _wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        threading.Event().wait(0.01)
    raise TimeoutError
