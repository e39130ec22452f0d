"""What a sweep shows: a line for every event, and one at the bottom that counts."""

import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.text import Text

from finetune.sweep.carry_out import State
from finetune.sweep.plan import PlannedRun


class Board:
    """The state of every run; `report` is the one that `carry_out` calls.

    Args:
        runs: All of them, in their order.
        console: Where the events go.
    """

    def __init__(self, runs: Sequence[PlannedRun], console: Console) -> None:
        self.console = console
        self.states: dict[str, State] = {run.name: "left" for run in runs}
        self.failures: dict[str, str] = {}
        """why, by name of the run"""
        self.start = time.monotonic()

    def report(self, run: PlannedRun, state: State, why: str) -> None:
        """Show a run's new state, with the reason where there is one."""
        self.states[run.name] = "left" if state == "died" else state
        if state == "failed":
            self.failures[run.name] = f"{why} (see {run.log})"
        because = f": {why}" if why else ""
        then = "; trying again" if state == "died" else ""
        event = f"{state:<8} {run.name}{because}{then}"
        self.console.print(event, markup=False, highlight=False, soft_wrap=True)

    def line(self) -> Text:
        """The counts, and the time since the start."""
        counts = Counter(self.states.values())
        shown = [f"{counts[state]} {state}" for state in ("done", "running", "failed", "stopped", "left")]
        seconds = timedelta(seconds=int(time.monotonic() - self.start))
        return Text(f"{len(self.states)} runs: {' · '.join(shown)} · {seconds}")

    def summary(self, folder: Path) -> str:
        """What became of it, and what to do next."""
        lines = [f"failed {name}: {why}" for name, why in self.failures.items()]
        done = sum(state == "done" for state in self.states.values())
        lines.append(f"{done} of {len(self.states)} runs are complete in {folder}")
        hint = "the same command resumes the others" if self.failures else f"diffsr compare {folder}"
        return "\n".join([*lines, hint])
