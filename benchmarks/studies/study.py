"""What the studies have in common: programs of the project, started as a user does; they go on where they stopped."""

import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path

from benchmarks.program import ROOT
from diffsr_hub.data.minari.ids import bundled
from diffsr_hub.errors import UserError
from diffsr_hub.saved.file_names import CONFIG

ARMS = Path(__file__).parent / "arms"
ENCODERS = Path("runs/encoders")
"""where the studies share encoders, each in ROBOT-SEED or DATASET-SEED"""


def program(*arguments: str) -> None:
    """Run a program of the project to its end: a script of the checkout, or Python with other arguments.

    Raises:
        UserError: It ended otherwise.
    """
    first = [str(ROOT / arguments[0])] if arguments[0].endswith(".py") else [arguments[0]]
    code = subprocess.run([sys.executable, *first, *arguments[1:]], check=False).returncode
    if code:
        raise UserError(f"{' '.join(arguments[:3])} … ended with exit code {code}; the same study goes on from there")


def pretrain(dataset: str, seed: int, folder: Path, *flags: str) -> None:
    """Train an encoder from data on this machine where it is not there yet, or go on with it.

    Args:
        dataset: As of `diffsr pretrain`.
        seed: Of everything.
        folder: Its run folder.
        flags: Others of `diffsr pretrain`, for a new run.
    """
    if is_pretrained(folder):
        return
    if (folder / "dataset.json").is_file():
        program("pretrain/fit.py", "--resume", str(folder))
    else:
        where = ["--download", "false", "--progress", "false", "--run_dir", str(folder)]
        program("pretrain/fit.py", "--dataset", dataset, "--seed", str(seed), *where, *flags)


def is_pretrained(folder: Path) -> bool:
    """Whether a run folder holds a complete encoder."""
    return (folder / "encoder" / CONFIG).is_file()


def pretrain_robots(
    robots: Iterable[str], seeds: Sequence[int], *, steps: int, workers: int, folder: Path = ENCODERS
) -> None:
    """Train the encoders of some robots, one a seed, on the bundled datasets.

    Args:
        robots: Such as hopper.
        seeds: Of the encoders.
        steps: Updates of an encoder that is missing.
        workers: Encoders at a time; the first of each robot come first, so that no two collect the same dataset.
        folder: Where they go, each into ROBOT-SEED.
    """
    for chosen in (seeds[:1], seeds[1:]):
        jobs = [
            partial(pretrain, bundled(f"mujoco/{n}"), seed, folder / f"{n}-{seed}", "--max_steps", str(steps))
            for n, seed in product(sorted(set(robots)), chosen)
        ]
        carry_out(ThreadPoolExecutor(workers), jobs)


def sweep(
    tasks: Sequence[str],
    arms: Path,
    seeds: Sequence[int],
    folder: Path,
    *,
    workers: int,
    **settings: int,
) -> None:
    """Run every task with every arm and every seed, without videos and without the network.

    Args:
        tasks: Ids of environments.
        arms: YAML file of arms.
        seeds: Of the runs.
        folder: Where the runs go.
        workers: Runs at a time.
        settings: Others of `diffsr finetune`, of every run.
    """
    grid = ["--tasks", ",".join(tasks), "--arms", str(arms), "--seeds", ",".join(map(str, seeds))]
    where = ["--folder", str(folder), "--launcher", "processes", "--workers", str(workers)]
    every = {**settings, "video_steps": 0, "download": "false"}
    flags = [f"--settings.{name}={value}" for name, value in every.items()]
    program("-m", "diffsr_hub.cli", "sweep", *grid, *where, *flags)


def carry_out(pool: Executor, jobs: Iterable[Callable[[], object]]) -> None:
    """Do all jobs, some at a time; none that has not begun does so after Ctrl-C or a failure."""
    with pool:
        running = [pool.submit(job) for job in jobs]
        try:
            for job in running:
                job.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
