"""Does a policy that was warm-started on a pretrained ψ drop when ψ begins to move? Tasks × arms × seeds.

    python benchmarks/studies/unlearning.py          # trains what is missing, then tabulates; goes on where it stopped
    python benchmarks/studies/unlearning.py --train false  # the table alone, from the raw results that are kept

The arms are in arms/unlearning.yaml, the encoders those of benchmarks/studies/transfer.py. Kept of a run: its
evaluations with every episode, a line of results/unlearning.jsonl.
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from benchmarks.program import ROOT, start
from benchmarks.studies import study
from benchmarks.studies.results import Results
from diffsr_hub.presentation.markdown import markdown_table
from diffsr_hub.studies.measure import RETURN
from diffsr_hub.studies.recorded_runs import Run
from finetune.sweep.plan import robot

RESULTS = Results("unlearning")
TASKS = "HalfCheetah-v5,Hopper-v5"
ARMS = study.ARMS / "unlearning.yaml"
HEAD = ["task", "ψ", "seed", "before the first step", "lowest", "÷ before", "last"]


def table(runs: Iterable[Run]) -> str:
    """One line a run: mean returns of its first, its lowest and its last evaluation."""
    return f"{markdown_table([HEAD, *map(_row, runs)])}\n"


def _row(run: Run) -> list[str]:
    returns = run.measures[RETURN.name]
    first, lowest, last = returns[0], min(returns), returns[-1]
    numbers = [f"{first:,.0f}", f"{lowest:,.0f}", f"{lowest / first:.2f}", f"{last:,.0f}"]
    return [run.env, run.arm, str(run.seed), *numbers]


def main(
    tasks: str = TASKS,
    seeds: Sequence[int] = (1, 2, 3),
    total_steps: int = 5_000,
    pretrain_steps: int = 20_000,
    arms: Path = ARMS,
    runs: Path = Path("runs/unlearning"),
    workers: int = 2,
    train: bool = True,
    root: Path = ROOT,
) -> None:
    """Train, keep the raw results, print the table.

    Args:
        tasks: Gymnasium ids, separated by commas.
        seeds: Of the runs and of their encoders.
        total_steps: Environment steps of every run, which is evaluated ten times.
        pretrain_steps: Updates of every encoder that is missing.
        arms: YAML file of arms.
        runs: Where the runs go.
        workers: Runs at a time.
        train: Whether to train, or only to tabulate what is kept.
        root: The folder whose results/ is written.
    """
    results = Results("unlearning", root)
    if train:
        names, often = tasks.split(","), {"eval_every": total_steps // 10, "eval_episodes": 5}
        study.pretrain_robots(map(robot, names), seeds, steps=pretrain_steps, workers=workers)
        with results.keeping(runs):
            study.sweep(names, arms, seeds, runs, workers=workers, total_steps=total_steps, **often)
    print(table(results.runs()))


if __name__ == "__main__":
    start(main)
