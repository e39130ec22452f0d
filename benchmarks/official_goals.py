"""How the agents of finished runs fare on all fifty official goals of their Meta-World tasks, each once."""

import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks import study
from diffsr_hub.meta_world.tasks import NAMESPACE, members
from finetune.comparison_table import UNKNOWN, lines
from finetune.recorded_runs import RECORD
from finetune.statistics import estimate
from finetune.sweep_plan import PlannedRun, slug

GOALS = "official.json"
"""beside the record of a run: what `diffsr evaluate` wrote"""
PAPER = members(f"{NAMESPACE}/paper8")
"""the tasks of Diff-SR's paper"""
GOOD = 0.9


def evaluate(run: PlannedRun) -> None:
    """Let the agent that a run left try every goal, where it has not yet."""
    if not (run.folder / GOALS).is_file():
        agent, file = str(run.folder / "agent"), str(run.folder / GOALS)
        study.program("-m", "diffsr_hub.cli", "evaluate", agent, "--file", file)


def table(kept: Path, arms: Sequence[str]) -> str:
    """A row for each task of the paper, their mean, and in how many of them an arm is good.

    A cell is the success rate over all goals and, in brackets, the best of the evaluations on the way, both over the
    seeds that tried all goals: their mean and, of several, its 95 % bootstrap interval.

    Args:
        kept: Folder of TASK/ARM/seed-N.
        arms: The columns.
    """
    cells = [[_seeds(kept / slug(task) / arm) for arm in arms] for task in PAPER]
    rows = [["", *arms]]
    for task, row in zip(PAPER, cells, strict=True):
        rows.append([task.removeprefix(f"{NAMESPACE}/"), *map(_cell, row)])
    columns = [[estimate(_all_goals(seeds)).centre for seeds in column if seeds] for column in zip(*cells, strict=True)]
    rows.append(
        ["mean", *(f"{sum(rates) / len(rates):.2f} of {len(rates)}" if rates else UNKNOWN for rates in columns)]
    )
    rows.append([f"{GOOD} or more", *(f"{sum(rate >= GOOD for rate in rates)} of {len(rates)}" for rates in columns)])
    return "\n".join(lines(rows)) + "\n"


def _seeds(arm: Path) -> list[Path]:
    return sorted(file.parent for file in arm.glob(f"seed-*/{GOALS}"))


def _all_goals(seeds: list[Path]) -> list[float]:
    return [json.loads((seed / GOALS).read_text())["success_rate"] for seed in seeds]


def _best(seed: Path) -> float:
    return max(row["success_rate"] for row in json.loads((seed / RECORD).read_text())["evaluations"])


def _cell(seeds: list[Path]) -> str:
    return f"{estimate(_all_goals(seeds)):.2f} ({estimate([_best(seed) for seed in seeds]):.1f})" if seeds else UNKNOWN
