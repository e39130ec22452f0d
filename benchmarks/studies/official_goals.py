"""How the agents of finished runs fare on all fifty official goals of their Meta-World tasks, each once."""

from collections.abc import Sequence

from benchmarks.studies import study
from diffsr_hub.files.json_lines import Record
from diffsr_hub.presentation.markdown import UNKNOWN, markdown_table
from diffsr_hub.studies.measure import SUCCESS
from diffsr_hub.studies.statistics import estimate, iqm
from diffsr_hub.suites.meta_world.names import NAMESPACE
from diffsr_hub.suites.meta_world.suite import META_WORLD
from finetune.sweep.plan import PlannedRun

GOALS = "official.json"
"""beside the record of a run: what `diffsr evaluate` wrote"""
KEY = "official"
"""of its content, in the record that is kept"""
PAPER = META_WORLD.members(f"{NAMESPACE}/paper8")
"""the tasks of Diff-SR's paper"""
GOOD = 0.9


def evaluate(run: PlannedRun) -> None:
    """Let the agent that a run left try every goal, where it has not yet."""
    if not (run.folder / GOALS).is_file():
        agent, file = str(run.folder / "agent"), str(run.folder / GOALS)
        study.program("-m", "diffsr_hub.cli", "evaluate", agent, "--file", file)


def table(records: Sequence[Record], arms: Sequence[str]) -> str:
    """A row for each task of the paper, their mean, and in how many of them an arm is good.

    A cell is the success rate over all goals and, in brackets, the best of the evaluations on the way, both over the
    seeds that tried all goals: their mean and, of several, its 95 % bootstrap interval.

    Args:
        records: Of runs, in the order of their seeds.
        arms: The columns.
    """
    tried = [[_tried(records, task, arm) for arm in arms] for task in PAPER]
    rows = [["", *arms]]
    for task, cells in zip(PAPER, tried, strict=True):
        rows.append([task.removeprefix(f"{NAMESPACE}/"), *map(_cell, cells)])
    columns = [[float(iqm([rate for rate, _ in cell])) for cell in cells if cell] for cells in zip(*tried, strict=True)]
    rows.append(
        ["mean", *(f"{sum(rates) / len(rates):.2f} of {len(rates)}" if rates else UNKNOWN for rates in columns)]
    )
    rows.append([f"{GOOD} or more", *(f"{sum(rate >= GOOD for rate in rates)} of {len(rates)}" for rates in columns)])
    return f"{markdown_table(rows)}\n"


def _tried(records: Sequence[Record], task: str, arm: str) -> list[tuple[float, float]]:
    """Of each seed that tried all goals: its success rate, and the best of its evaluations on the way."""
    found = [each for each in records if (each["env"], each["arm"]) == (task, arm) and KEY in each]
    return [(each[KEY][SUCCESS.name], max(row[SUCCESS.name] for row in each["evaluations"])) for each in found]


def _cell(seeds: list[tuple[float, float]]) -> str:
    if not seeds:
        return UNKNOWN
    rates, best = zip(*seeds, strict=True)
    return f"{estimate(rates):.2f} ({estimate(best):.1f})"
