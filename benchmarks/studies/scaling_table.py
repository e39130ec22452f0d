"""The measurements of the scaling study as tables and as a picture."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from diffsr_hub.presentation.markdown import markdown_table
from diffsr_hub.presentation.picture import BLACK, BLUE, GREEN, ORANGE, write_picture
from diffsr_hub.studies.statistics import Estimate, estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = dict[str, Any]
COLUMNS: dict[str, Callable[[Row], float]] = {
    "change: ψ": lambda row: row["probes"]["change"]["psi"],
    "change: random ψ": lambda row: row["probes"]["change"]["random_psi"],
    "change: (s, a)": lambda row: row["probes"]["change"]["raw"],
    "reward: ψ": lambda row: row["probes"]["reward"]["psi"],
    "reward: random ψ": lambda row: row["probes"]["reward"]["random_psi"],
    "reward: (s, a)": lambda row: row["probes"]["reward"]["raw"],
    # The loss is in units of each encoder's own statistics; so is what it is divided by.
    "score loss ÷ without (s, a)": lambda row: row["loss"]["encoder"] / row["loss"]["without_state_action"],
}
PANELS = {
    "R² of the change of state": tuple(COLUMNS)[:3],
    "R² of the reward": tuple(COLUMNS)[3:6],
    "score loss ÷ without (s, a)": tuple(COLUMNS)[6:],
}
LOOKS = (("ψ", BLUE), ("untrained ψ", ORANGE), ("(s, a)", BLACK))


class Line(NamedTuple):
    """One size of what was learned from, on some probe tasks."""

    own: bool
    tasks: int
    transitions: int
    seen: str
    """how many of the probe tasks are among those learned from"""
    values: dict[str, Estimate]
    """of each of `COLUMNS`: over seeds, of the mean over the probe tasks"""


def summary(rows: Sequence[Row]) -> list[Line]:
    """The lines of a table: the tasks' own encoders first, then by tasks and transitions."""
    found = []
    for own, tasks, transitions in sorted({(not row["own"], row["tasks"], row["transitions"]) for row in rows}):
        these = [row for row in rows if (not row["own"], row["tasks"], row["transitions"]) == (own, tasks, transitions)]
        of_seeds = [[row for row in these if row["seed"] == seed] for seed in sorted({row["seed"] for row in these})]
        values = {
            name: estimate([float(np.mean([read(row) for row in of_seed])) for of_seed in of_seeds])
            for name, read in COLUMNS.items()
        }
        probes = {row["probe"]: row["seen"] for row in these}
        found.append(Line(not own, tasks, transitions, f"{sum(probes.values())} of {len(probes)}", values))
    return found


def table(rows: Sequence[Row]) -> str:
    """Markdown: one table for the probe tasks that no encoder of many learned from, one for the others if there are."""
    head = ["learned from", "transitions", "probe tasks among them", *COLUMNS]
    parts = {heading: [head, *map(_cells, summary(chosen))] for heading, chosen in by_novelty(rows).items()}
    return "\n\n".join(f"**{heading}**\n\n{markdown_table(part)}" for heading, part in parts.items()) + "\n"


def _cells(line: Line) -> list[str]:
    name = "the task itself" if line.own else f"{line.tasks} tasks"
    return [name, f"{line.transitions:,}", line.seen, *(f"{value:.3g}" for value in line.values.values())]


def by_novelty(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows by whether some encoder of many tasks learned from the probe task, with headings."""
    seen = {row["probe"] for row in rows if row["seen"] and not row["own"]}
    parts = {
        "Tasks of which the encoders of many have seen nothing": [row for row in rows if row["probe"] not in seen],
        "Tasks that encoders of many learned from, other episodes": [row for row in rows if row["probe"] in seen],
    }
    return {heading: part for heading, part in parts.items() if part}


def draw(rows: Sequence[Row], file: Path) -> None:
    """Write the picture: a row for each quantity, the two axes side by side; the tasks' own encoders as a line."""
    from matplotlib.figure import Figure

    heading, of_probes = next(iter(by_novelty(rows).items()))
    lines = summary(of_probes)
    own, many = next(line for line in lines if line.own), [line for line in lines if not line.own]
    most = max(line.tasks for line in many)
    sizes = {
        f"tasks, {own.transitions:,} transitions in all": {
            line.tasks: line for line in many if line.transitions == own.transitions
        },
        f"transitions, of {most} tasks in all": {line.transitions: line for line in many if line.tasks == most},
    }
    figure = Figure(figsize=(9, 3 * len(PANELS)), layout="constrained")
    panels = figure.subplots(len(PANELS), 2, sharey="row")
    for row, (title, names) in zip(panels, PANELS.items(), strict=True):
        for axes, (label, points) in zip(row, sizes.items(), strict=True):
            for name, (which, color) in zip(names, LOOKS, strict=False):
                _curve(axes, [*points], [line.values[name] for line in points.values()], which, color)
            _level(axes, own.values[names[0]])
            axes.set(xlabel=label, ylabel=title, xscale="log", yscale="linear" if title.startswith("R²") else "log")
            axes.set_xticks([*points], [f"{size:,}" for size in points])
            axes.set_xticks([], minor=True)
        row[0].legend(frameon=False)
    probes = ", ".join(sorted({row["probe"].rpartition("/")[2] for row in of_probes}))
    figure.suptitle(f"{heading}: {probes}", fontsize=10)
    write_picture(figure, file)


def _curve(axes: "Axes", x: Sequence[int], values: Sequence[Estimate], label: str, color: str) -> None:
    """What one input tells, with its intervals where all sizes have one."""
    axes.plot(x, [value.centre for value in values], "o-", color=color, label=label)
    if all(value.low is not None for value in values):
        low, high = [value.low for value in values], [value.high for value in values]
        axes.fill_between(x, low, high, color=color, alpha=0.15, linewidth=0)  # type: ignore[arg-type]


def _level(axes: "Axes", own: Estimate) -> None:
    """What the tasks' own encoders tell."""
    axes.axhline(own.centre, color=GREEN, linestyle="--", label="the task's own ψ")
    if own.low is not None and own.high is not None:
        axes.axhspan(own.low, own.high, color=GREEN, alpha=0.1, linewidth=0)
