"""Does a policy that was warm-started on a pretrained ψ drop when ψ begins to move? Tasks × arms × seeds.

    python benchmarks/studies/unlearning.py          # trains what is missing, then tabulates; goes on where it stopped
    python benchmarks/studies/unlearning.py --train false  # the table alone, from the raw results that are kept

The arms are in unlearning.yaml, the encoders those of benchmarks/studies/transfer.py. Kept of a run: its evaluations
with every episode, in docs/results/unlearning/TASK/ARM/seed-N.
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from jsonargparse import auto_cli

from benchmarks.studies import study
from diffsr_hub.errors import exit_codes
from diffsr_hub.studies.recorded_runs import Run, read_runs

KEPT = study.ROOT / "docs" / "results" / "unlearning"
TASKS = "HalfCheetah-v5,Hopper-v5"
HEAD = """\
| task | ψ | seed | before the first step | lowest | ÷ before | last |
| --- | --- | --- | --- | --- | --- | --- |
"""


def table(runs: Iterable[Run]) -> str:
    """One line a run: mean returns of its first, its lowest and its last evaluation."""
    return HEAD + "".join(map(_line, runs))


def _line(run: Run) -> str:
    returns = run.measures["mean_return"]
    first, lowest, last = returns[0], min(returns), returns[-1]
    return (
        f"| {run.env} | {run.arm} | {run.seed} | {first:,.0f} | {lowest:,.0f} | {lowest / first:.2f} | {last:,.0f} |\n"
    )


def main(
    tasks: str = TASKS,
    seeds: Sequence[int] = (1, 2, 3),
    total_steps: int = 5_000,
    runs: Path = Path("runs/unlearning"),
    workers: int = 2,
    train: bool = True,
) -> None:
    """Train, keep the raw results, print the table.

    Args:
        tasks: Gymnasium ids, separated by commas.
        seeds: Of the runs and of their encoders.
        total_steps: Environment steps of every run, which is evaluated ten times.
        runs: Where the runs go.
        workers: Runs at a time.
        train: Whether to train, or only to tabulate what is kept.
    """
    if train:
        names, arms = tasks.split(","), study.STUDIES / "unlearning.yaml"
        study.pretrain_robots(names, seeds, workers)
        often = {"eval_every": total_steps // 10, "eval_episodes": 5}
        try:
            study.sweep(names, arms, seeds, runs, workers=workers, total_steps=total_steps, **often)
        finally:
            study.keep(runs, KEPT)
    print(table(read_runs([KEPT])))


if __name__ == "__main__":
    with exit_codes():
        auto_cli(main, as_positional=False)
