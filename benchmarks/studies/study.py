"""What the studies have in common: programs of the project, started as a user does; they go on where they stopped."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from diffsr_hub.cards.card import write_card
from diffsr_hub.data.minari.ids import bundled
from diffsr_hub.errors import UserError
from diffsr_hub.files.atomic import write_json
from diffsr_hub.saved.file_names import TRANSFER
from diffsr_hub.studies.comparison import REFERENCE, TaskComparison
from diffsr_hub.studies.matrix_verb import write_matrix
from diffsr_hub.studies.recorded_runs import RECORD
from diffsr_hub.studies.statistics import Waiting
from finetune.sweep.plan import robot

ROOT = Path(__file__).resolve().parents[2]
STUDIES = Path(__file__).parent
CARDS = ROOT / "model_cards"


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
    if (folder / "encoder" / "config.json").is_file():
        return
    if (folder / "dataset.json").is_file():
        program("pretrain/fit.py", "--resume", str(folder))
    else:
        where = ["--download", "false", "--progress", "false", "--run_dir", str(folder)]
        program("pretrain/fit.py", "--dataset", dataset, "--seed", str(seed), *where, *flags)


def pretrain_robots(tasks: Iterable[str], seeds: Iterable[int], workers: int) -> None:
    """Train the encoders of the robots of some tasks, one a seed, on the bundled datasets: runs/encoders/ROBOT-SEED."""
    encoders = product(sorted(set(map(robot, tasks))), seeds)
    jobs = [partial(pretrain, bundled(f"mujoco/{n}"), seed, Path(f"runs/encoders/{n}-{seed}")) for n, seed in encoders]
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


def keep(runs: Path, kept: Path, *more: str) -> None:
    """Copy the raw results of all runs, finished or not: `evaluation.json` of TASK/ARM/seed-N, and more files."""
    for name in (RECORD, *more):
        for record in sorted(runs.glob(f"*/*/*/{name}")):
            place = kept / record.parent.relative_to(runs)
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(record, place / name)


def runs_beside(arm: str, order: Iterable[str], kept: Path) -> tuple[list[Path], list[str]]:
    """The folders of the tasks in `kept` that have runs of an arm, and of which arms in `order` there are any there."""
    folders = [folder for folder in sorted(kept.iterdir()) if (folder / arm).is_dir()]
    return folders, [name for name in order if any((folder / name).is_dir() for folder in folders)]


def draw_matrix(order: Iterable[str], kept: Path, reference: str = REFERENCE) -> None:
    """Write the transfer matrix of the tasks in `kept` that have runs of the reference, if they have others too.

    Args:
        order: Of the rows; an arm that is not in it has none.
        kept: Folder; the gains over another reference than scratch go into one of its name there.
        reference: Arm to which the others are compared.
    """
    folders, found = runs_beside(reference, order, kept)
    if rows := [arm for arm in found if arm != reference]:
        out, special = (kept, "") if reference == REFERENCE else (kept / reference, f" --reference {reference}")
        raw = f"{os.path.relpath(kept, ROOT)}/{{{','.join(folder.name for folder in folders)}}}"
        command = f"diffsr matrix {raw}{special} --arms {','.join(rows)} --out {os.path.relpath(out, ROOT)}"
        write_matrix(folders, out, command=command, arms=rows, reference=reference)


def write_saved(card: Path, about: dict[str, Any], tasks: Iterable[TaskComparison]) -> None:
    """Write what an encoder saved beside its card, and the card anew; nothing if there are no runs to tell of.

    Args:
        card: Folder in model_cards/, named after the encoder.
        about: The head of `transfer.json`; `arms` says what those are that the card shows, in this order.
        tasks: To be shown.
    """
    shown = {task.env: {arm.name: arm for arm in task.arms} for task in tasks}
    rows = [
        {"task": env, "arm": name, "steps": waited_for(waited), "final": asdict(arms[name].final)}
        for env, arms in shown.items()
        for name in about["arms"]
        if name in arms and (waited := arms[name].to_threshold)
    ]
    if rows:
        write_json(card / TRANSFER, {**about, "rows": rows})
        write_card(card, f"diffsr-hub/{card.name}")


def waited_for(waited: Waiting) -> dict[str, Any]:
    """The `steps` of a row of `transfer.json`."""
    return {**asdict(waited.steps), "reached": waited.reached, "seeds": waited.runs}


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
