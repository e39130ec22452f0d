"""`diffsr sweep`: tasks × arms × seeds, one after the other, in several processes, on Ray or on Slurm."""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console
from rich.live import Live

from diffsr_hub.errors import UserError, exit_codes
from diffsr_hub.runs.command import parse, words
from finetune.acting.environments import make
from finetune.config import SCRATCH
from finetune.sweep.board import Board
from finetune.sweep.carry_out import carry_out
from finetune.sweep.launchers import LAUNCHERS, LauncherName
from finetune.sweep.plan import PlannedRun, arms_of_encoders, plan, read_arms, write_down

DESCRIPTION = """Fine-tune with every combination of tasks, encoders (or arms) and seeds. The same command goes on where
it was stopped: complete runs are skipped, started ones are resumed."""


@dataclass(frozen=True)
class SweepConfig:
    """Which runs, and where."""

    tasks: str
    """Gymnasium ids, separated by commas, such as Hopper-v5,diffsr/Hopper-backward-v0."""
    encoders: str = ""
    """Folders or repositories of encoders, separated by commas; none, the default, learns one from scratch."""
    arms: Path | None = None
    """YAML file of named settings instead of encoders; with {robot}, {task}, {env}, {name} and {seed} in them."""
    seeds: str = "0,1,2"
    """Seeds, separated by commas."""
    folder: Path = Path("runs/sweep")
    """Where the runs go: FOLDER/TASK/ARM/seed-N."""
    settings: dict[str, str | Any] = field(default_factory=dict)
    """Settings of `diffsr finetune` for all runs: --settings.total_steps 30000 --settings.mode frozen …"""
    launcher: LauncherName = "serial"
    """Where they run; ray uses the cluster of RAY_ADDRESS or a local one, submitit-local tries Slurm's way here."""
    workers: int = 1
    """Runs at a time; each has one thread."""
    retries: int = 1
    """How often a run that died is resumed."""
    launcher_options: dict[str, Any] = field(default_factory=dict)
    """Of submitit (--launcher_options.timeout_min 600 --launcher_options.slurm_partition cpu) or of ray.remote."""

    def __post_init__(self) -> None:
        """Refuse sweeps that cannot be."""
        if self.workers < 1:
            raise UserError(f"workers must be at least 1, got {self.workers}")
        if self.retries < 0:
            raise UserError(f"retries must not be negative, got {self.retries}")
        if self.launcher == "serial" and self.workers > 1:
            raise UserError(f"serial runs one at a time; for {self.workers} give --launcher processes")
        if self.encoders and self.arms is not None:
            raise UserError("give either --encoders or --arms, not both: an arm names its encoder")
        words("tasks", self.tasks)
        words("encoders", self.encoders or SCRATCH)
        self.seed_numbers()

    def seed_numbers(self) -> list[int]:
        """The numbers in `seeds`.

        Raises:
            UserError: One is no number that a run can have as its seed.
        """
        seeds = words("seeds", self.seeds)
        if not all(seed.isdecimal() and len(seed) <= 10 and int(seed) < 2**32 for seed in seeds):
            raise UserError(f"seeds must be numbers from 0 to {2**32 - 1}, separated by commas, got {self.seeds!r}")
        return [int(seed) for seed in seeds]

    def plan(self) -> list[PlannedRun]:
        """The runs.

        Raises:
            UserError: The arms are not right.
        """
        encoders = words("encoders", self.encoders or SCRATCH)
        arms = arms_of_encoders(encoders) if self.arms is None else read_arms(self.arms)
        return plan(words("tasks", self.tasks), arms, self.seed_numbers(), self.folder, self.settings)


@exit_codes()
def main(argv: Sequence[str] | None = None) -> None:
    """Run from the command line; exit code 1 where a run failed."""
    config = parse(SweepConfig, argv, prog="diffsr sweep", description=DESCRIPTION)
    if not sweep(config):
        raise SystemExit(1)


def sweep(config: SweepConfig) -> bool:
    """Carry out a sweep and show how it goes; whether every run has its agent in the end.

    Raises:
        UserError: A run is planned that cannot be; nothing was started.
        KeyboardInterrupt: Ctrl-C or SIGTERM, after the runs have saved themselves.
    """
    runs = config.plan()
    for task in dict.fromkeys(run.env for run in runs):
        make(task).close()
    write_down(runs)
    console = Console()
    board = Board(runs, console)
    launcher = LAUNCHERS[config.launcher](config.workers, config.folder, config.launcher_options)
    with (
        _stop_file(config.folder) as stop,
        Live(get_renderable=board.line, console=console, refresh_per_second=1, transient=True),
        launcher as launch,
        _interrupted_once(),  # within, as Ray has a handler of its own
    ):
        carry_out(runs, launch, workers=config.workers, retries=config.retries, stop=stop, report=board.report)
    print(board.summary(config.folder))
    return not board.failures


@contextmanager
def _stop_file(folder: Path) -> Iterator[Path]:
    """A file that does not exist, and no longer does in the end."""
    stop = folder.resolve() / f".stop-{os.getpid()}"
    stop.unlink(missing_ok=True)
    try:
        yield stop
    finally:
        stop.unlink(missing_ok=True)


@contextmanager
def _interrupted_once() -> Iterator[None]:
    """Ctrl-C and SIGTERM interrupt once; an impatient second one does not cut short what the runs save then."""
    interrupted = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        if not interrupted:
            interrupted = True
            raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    main()
