"""How the agents of finished runs fare on all fifty official goals of their Meta-World tasks, each once."""

import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks import study
from diffsr_hub.meta_world.tasks import NAMESPACE
from finetune.comparison_table import UNKNOWN, lines
from finetune.recorded_runs import RECORD
from finetune.statistics import estimate
from finetune.sweep_plan import PlannedRun

GOALS = "official.json"
"""beside the record of a run: what `diffsr evaluate` wrote"""
GOOD = 0.9


def evaluate(run: PlannedRun) -> None:
    """Let the agent that a run left try every goal, where it has not yet."""
    if not (run.folder / GOALS).is_file():
        agent, file = str(run.folder / "agent"), str(run.folder / GOALS)
        study.program("-m", "diffsr_hub.cli", "evaluate", agent, "--file", file)


def table(kept: Path, arms: Sequence[str]) -> str:
    """A row for each task of which an arm has tried all goals, their mean, and in how many an arm is good.

    A cell is the success rate over all goals and, in brackets, the best of the evaluations on the way, both over the
    seeds: their mean and, of several, its 95 % bootstrap interval.

    Args:
        kept: Folder of TASK/ARM/seed-N.
        arms: The columns.
    """
    found = {task: [_rates(task / arm, GOALS) for arm in arms] for task in sorted(kept.iterdir())}
    tasks = {task: cells for task, cells in found.items() if any(cells)}
    rows = [["", *arms]]
    for task, cells in tasks.items():
        best = [_rates(task / arm, RECORD) for arm in arms]
        rows.append([task.name.removeprefix(f"{NAMESPACE}-"), *map(_cell, cells, best)])
    columns = [[estimate(cells[i]).centre for cells in tasks.values() if cells[i]] for i in range(len(arms))]
    rows.append(
        ["mean", *(f"{sum(rates) / len(rates):.2f} of {len(rates)}" if rates else UNKNOWN for rates in columns)]
    )
    rows.append([f"{GOOD} or more", *(f"{sum(rate >= GOOD for rate in rates)} of {len(rates)}" for rates in columns)])
    return "\n".join(lines(rows)) + "\n"


def _rates(arm: Path, name: str) -> list[float]:
    """One success rate a seed: over all goals, or the best on the way."""
    records = [json.loads(file.read_text()) for file in sorted(arm.glob(f"seed-*/{name}"))]
    if name == GOALS:
        return [record["success_rate"] for record in records]
    return [max(row["success_rate"] for row in record["evaluations"]) for record in records]


def _cell(rates: list[float], best: list[float]) -> str:
    return f"{estimate(rates):.2f} ({estimate(best):.1f})" if rates else UNKNOWN
