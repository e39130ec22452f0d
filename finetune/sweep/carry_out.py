"""Carry out planned runs, several at a time; what dies is reported and resumed, and stops nothing else."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Literal

from finetune.sweep.launchers import Launch
from finetune.sweep.plan import PlannedRun

WAKE_SECONDS = 0.5
"""between two looks at signals"""
MISTAKE = 2
"""exit code of a program that refuses its input, in one line; it would do so again"""
State = Literal["left", "running", "done", "died", "failed", "stopped"]
"""died: will be resumed; failed: was, too often, or cannot be; stopped: by the user, saved"""
Report = Callable[[PlannedRun, State, str], None]
"""`report(run, state, why)`, called from many threads"""


def carry_out(
    runs: Sequence[PlannedRun], launch: Launch, *, workers: int, retries: int, stop: Path, report: Report
) -> None:
    """See every run through to its agent, or to its last attempt.

    Args:
        runs: Finished ones are only reported.
        launch: Of a launcher.
        workers: Runs at a time.
        retries: How often a run that died is resumed.
        stop: File that asks the programs for a stop; must not exist.
        report: Told every change of a run's state.

    Raises:
        KeyboardInterrupt: Ctrl-C, after all programs have saved themselves and ended.
    """
    turn, busy = threading.Condition(), set[str]()

    def see_through(run: PlannedRun) -> None:
        with turn:
            if stop.exists():
                return
            busy.add(run.name)
        try:
            _see_through(run, launch, retries, stop, report)
        finally:
            with turn:
                busy.remove(run.name)
                turn.notify_all()

    with ThreadPoolExecutor(workers) as pool:
        try:
            jobs = [pool.submit(see_through, run) for run in runs]
            _wait(jobs)
        except BaseException:
            stop.touch()
            pool.shutdown(wait=False, cancel_futures=True)
            with turn:  # a pool that Ctrl-C meets while it starts a thread forgets to wait for that thread
                turn.wait_for(lambda: not busy)
            raise


def _wait(jobs: Sequence[Future[None]]) -> None:
    """Until all are done, or one raises.

    It wakes up now and then, as two signals that come together do not interrupt a wait without an end.
    """
    left = set(jobs)
    while left:
        done, left = wait(left, timeout=WAKE_SECONDS, return_when=FIRST_EXCEPTION)
        for job in done:
            job.result()


def _see_through(run: PlannedRun, launch: Launch, retries: int, stop: Path, report: Report) -> None:
    if run.complete:
        return report(run, "done", "before")
    for left in reversed(range(retries + 1)):
        report(run, "running", "again" if run.folder.is_dir() else "")
        code, reason = _attempt(run, launch, stop)
        if run.complete:
            return report(run, "done", "")
        if stop.exists():
            return report(run, "stopped", reason)
        if code == MISTAKE or not left:
            return report(run, "failed", reason)
        report(run, "died", reason)
    return None


def _attempt(run: PlannedRun, launch: Launch, stop: Path) -> tuple[int | None, str]:
    """The exit code, None where it was lost; and in one line, why the run ended if it is not complete."""
    try:
        code = launch(run.program(stop))
    except Exception as error:  # of Ray or Slurm: a lost worker is like a run that died
        return None, " ".join(f"{type(error).__name__}: {error}".split())
    return code, f"exit code {code}: {last_line(run.log)}"


def last_line(log: Path) -> str:
    """The last line that says anything; of a long log, only its end is read."""
    if not log.is_file():
        return "no output"
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 10_000))
        lines = file.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "no output")
