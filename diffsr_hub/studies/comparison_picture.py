"""A comparison in pictures, one panel for each task: learning curves, and below them the steps to the threshold."""

import itertools
from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffsr_hub.presentation.picture import OKABE_ITO, write_picture
from diffsr_hub.studies.comparison import Comparison, TaskComparison
from diffsr_hub.studies.measure import MEASURES, Measure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DASHES = ("-", "--", ":", "-.")
"""for the arms after the seventh"""
COLUMNS = 3
PANEL = (4.2, 3.2)
"""inches"""
BARS = 0.35
"""height of the bars below a panel, in panels"""
MARGIN = 0.04
"""of an axis beyond the bounds of its measure, in their distance"""


def draw(comparison: Comparison, file: Path) -> None:
    """Write the picture; the type is that of the file's suffix, such as `.png`, `.svg` or `.pdf`.

    A line is the interquartile mean over seeds, its band the 95 % bootstrap interval; one seed has no band. The dotted
    line is the threshold; the bars below are the steps to it, which end in an arrow where they are a lower bound.
    """
    from matplotlib.figure import Figure

    count = len(comparison.tasks)
    columns = 2 if count == 4 else min(count, COLUMNS)
    rows = ceil(count / columns)
    height = BARS if any(task.threshold is not None for task in comparison.tasks) else 0.01
    figure = Figure(figsize=(PANEL[0] * columns, PANEL[1] * (1 + height) * rows + 0.6), layout="constrained")
    grid = figure.subplots(2 * rows, columns, squeeze=False, height_ratios=[1, height] * rows)
    panels, bars = grid[0::2].flatten(), grid[1::2].flatten()
    styles = _styles(comparison)
    for axes, below, task in zip(panels, bars, comparison.tasks, strict=False):
        _panel(axes, task, styles, MEASURES[comparison.measure])
        below.sharex(axes)
        _bars(below, task, styles)
    for axes in (*panels[count:], *bars[count:]):
        axes.set_visible(False)
    lines = {line.get_label(): line for axes in panels for line in axes.get_lines()}
    names = [name for name in styles if name in lines]
    legend_columns = min(len(names), 2 * columns)
    figure.legend(
        [lines[name] for name in names], names, loc="outside lower center", ncols=legend_columns, frameon=False
    )
    write_picture(figure, file)


def _styles(comparison: Comparison) -> dict[str, dict[str, Any]]:
    """A look for each arm, the same in all panels; the reference comes first even where the first task lacks it."""
    references = [task.reference for task in comparison.tasks if task.reference]
    names = dict.fromkeys([*references, *(arm.name for task in comparison.tasks for arm in task.arms)])
    looks: Iterator[tuple[str, str]] = ((color, dash) for dash, color in itertools.product(DASHES, OKABE_ITO))
    return {name: {"color": color, "linestyle": dash} for name, (color, dash) in zip(names, looks, strict=False)}


def _panel(axes: "Axes", task: TaskComparison, styles: dict[str, dict[str, Any]], measure: Measure) -> None:
    for arm in task.arms:
        curve, style = arm.curve, styles[arm.name]
        axes.plot(curve.steps, curve.centre, label=arm.name, linewidth=1.8, marker="o", markersize=2.5, **style)
        if curve.low is not None and curve.high is not None:
            axes.fill_between(curve.steps, curve.low, curve.high, color=style["color"], alpha=0.15, linewidth=0)
    if task.threshold is not None:
        axes.axhline(task.threshold, color="0.5", linestyle=(0, (1, 3)), linewidth=1, label="_threshold", zorder=0)
    axes.set(title=task.env, ylabel=measure.title)
    if measure.bounds is not None:
        low, high = measure.bounds
        axes.set_ylim(low - MARGIN * (high - low), high + MARGIN * (high - low))
    axes.tick_params(labelbottom=False)
    axes.yaxis.set_major_formatter("{x:,.5g}")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _bars(axes: "Axes", task: TaskComparison, styles: dict[str, dict[str, Any]]) -> None:
    """Steps to the threshold, the first arm on top, with their 95 % bootstrap intervals."""
    from matplotlib.ticker import MaxNLocator

    for height, arm in enumerate(task.arms):
        if arm.to_threshold is not None:
            steps, style = arm.to_threshold.steps, styles[arm.name]
            axes.plot([0, steps.centre], [height, height], linewidth=2.5, solid_capstyle="butt", **style)
            end = ">" if arm.to_threshold.censored else "|"
            axes.plot(steps.centre, height, marker=end, markersize=6, color=style["color"], clip_on=False)
            if steps.low is not None and steps.high is not None:
                axes.plot([steps.low, steps.high], [height, height], linewidth=0.8, color="0.3")
    axes.invert_yaxis()
    bars = "" if task.threshold is None else "; bars: until the threshold"
    axes.set(xlabel=f"environment steps{bars}", yticks=[])
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.spines[["top", "right", "left"]].set_visible(False)
