"""What pretraining saves online: arms × tasks × seeds, their raw learning curves, tables and pictures.

    python benchmarks/studies/transfer.py          # trains what is missing, then compares; goes on where it stopped
    python benchmarks/studies/transfer.py --arms benchmarks/studies/arms/transfer_warm.yaml --sac false
    python benchmarks/studies/transfer.py --train false    # the comparison alone, from the raw results that are kept
    python benchmarks/studies/transfer.py --tasks Walker2d-v5,diffsr/Walker2d-backward-v0   # any tasks of known robots

The arms are in arms/transfer.yaml, transfer_warm.yaml and transfer_others.yaml, beside Stable-Baselines3's SAC. Each
seed has an encoder of its own, pretrained with that seed. Kept of a run: its evaluations with every episode, a line
of results/transfer.jsonl. The cards in model_cards/ get what their robot's encoders saved.
"""

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from benchmarks.program import ROOT, start
from benchmarks.studies import study
from benchmarks.studies.results import Results, draw_matrix, write_saved
from benchmarks.studies.sac import ARM as SAC
from diffsr_hub.studies.compare_verb import write_comparison
from finetune.sweep.plan import read_arms, robot, slug

RESULTS = Results("transfer")
ARMS = [study.ARMS / f"transfer{name}.yaml" for name in ("", "_warm", "_others")]
ABOUT = {
    "command": "python benchmarks/studies/transfer.py",
    "source": "docs/transfer.md",
    "arms": {
        "scratch": "ψ learns from nothing",
        "random": "an untrained ψ, frozen: the control",
        "frozen": "the pretrained ψ as it is",
        "finetuned": "the pretrained ψ goes on learning",
        "offline": "as scratch, and half of every batch is the encoder's own dataset, with the task's rewards; "
        "good actions in it are imitated a little",
        "offline-warm": "as scratch, with updates on that dataset before the first step and a share that falls",
        "random-offline": "the same with an untrained ψ, frozen: the control of the next",
        "pretrained-offline": "the same with the pretrained ψ, frozen",
        SAC: "Stable-Baselines3's at its defaults",
    },
}
TASKS = "Hopper-v5,HalfCheetah-v5,diffsr/Hopper-backward-v0,diffsr/HalfCheetah-backward-v0"


def baseline(runs: Path, total_steps: int, task: str, seed: int) -> None:
    """Train SAC where it was not yet trained to the end."""
    folder = runs / slug(task) / SAC / f"seed-{seed}"
    if not (folder / "finished").is_file():
        flags = ["--env", task, "--seed", str(seed), "--run_dir", str(folder), "--total_steps", str(total_steps)]
        study.program("benchmarks/studies/sac.py", *flags)
        (folder / "finished").touch()


def main(
    tasks: str = TASKS,
    arms: Path = ARMS[0],
    seeds: Sequence[int] = (0, 1, 2),
    total_steps: int = 30_000,
    pretrain_steps: int = 20_000,
    runs: Path = Path("runs/transfer"),
    workers: int = 2,
    sac: bool = True,
    train: bool = True,
    root: Path = ROOT,
) -> None:
    """Train, keep the raw results, compare.

    Args:
        tasks: Gymnasium ids, separated by commas.
        arms: YAML file of arms.
        seeds: Of the runs.
        total_steps: Environment steps of every run.
        pretrain_steps: Updates of every encoder that is missing.
        runs: Where the runs go.
        workers: Runs at a time.
        sac: Whether to train SAC too.
        train: Whether to train, or only to compare what is kept.
        root: The folder whose results/, docs/generated/ and model_cards/ are written.
    """
    names, results = tasks.split(","), Results("transfer", root)
    if train:
        study.pretrain_robots(map(robot, names), seeds, steps=pretrain_steps, workers=workers)
        with results.keeping(runs):
            study.sweep(names, arms, seeds, runs, workers=workers, total_steps=total_steps)
            pairs = product(names, seeds) if sac else ()
            study.carry_out(ThreadPoolExecutor(workers), [partial(baseline, runs, total_steps, *p) for p in pairs])
    write_up(results, total_steps)


def rows() -> list[str]:
    """The arms that a matrix has: all but SAC, which has no encoder."""
    return [arm for file in ARMS for arm in read_arms(file)]


def write_up(results: Results, total_steps: int) -> None:
    """Compare what is kept: tables and pictures, and what the cards' encoders saved."""
    comparison = write_comparison([results.file], results.shown)
    draw_matrix(rows(), results)
    for config in sorted(results.cards.glob("*/config.json")):
        found = [task for task in comparison.tasks if robot(task.env) == config.parent.name]
        write_saved(config.parent, {**ABOUT, "total_steps": total_steps}, found)


if __name__ == "__main__":
    start(main)
