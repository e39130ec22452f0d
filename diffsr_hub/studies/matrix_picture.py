"""A transfer matrix as a heat map with every number in it."""

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from diffsr_hub.presentation.picture import write_picture
from diffsr_hub.studies.matrix import Cell, Matrix
from diffsr_hub.studies.matrix_table import leaves_out_zero, shorter, unit
from diffsr_hub.studies.measure import MEASURES
from diffsr_hub.studies.statistics import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CELL = (1.45, 0.62)
"""inches"""
COLORS = "RdBu"
"""red is worse than the reference, white equal, blue better; told apart with any colour vision"""
EMPTY = "#e6e6e6"
WIDTH = 16
"""letters of a name before it is broken"""


def draw(matrix: Matrix, file: Path) -> None:
    """Write the picture; the type is that of the file's suffix, such as `.png`, `.svg` or `.pdf`.

    The colours end at a gain of 1, or of 100 points of success. Bold: the interval leaves out 0. Grey: no gain known.
    """
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    averaged = any(matrix.means)
    rows, columns = len(matrix.arms), len(matrix.columns) + averaged
    figure = Figure(figsize=(CELL[0] * columns + 3.0, CELL[1] * rows + 2.1), layout="constrained")
    axes = figure.subplots()
    shades = [[_shade(column.cells[row].gain, column.measure) for column in matrix.columns] for row in range(rows)]
    if averaged:
        for row, mean in zip(shades, matrix.means, strict=True):
            row.append(np.nan if mean is None else _shade(mean.gain, mean.measure))
    image = axes.imshow(np.array(shades), cmap=COLORS, norm=Normalize(-1, 1), aspect="auto")
    axes.set_facecolor(EMPTY)
    early = shorter(matrix)
    for across, column in enumerate(matrix.columns):
        for down, (arm, cell) in enumerate(zip(matrix.arms, column.cells, strict=True)):
            _write(axes, (across, down), cell, column.measure, early.get((arm, column.env)))
    if averaged:
        for down, mean in enumerate(matrix.means):
            if mean is not None:
                _write_gain(axes, (columns - 1, down), mean.gain, mean.measure, f"\nof {len(mean.tasks)} tasks")
        axes.axvline(columns - 1.5, color="black", linewidth=1)
    _name_sides(axes, matrix)
    bar = figure.colorbar(image, ax=axes, extend="both", shrink=0.8, pad=0.02)
    bar.set_ticks([-1, 0, 1], labels=_bar_labels(matrix))
    figure.suptitle(_title(matrix), fontsize=10, parse_math=False)
    write_picture(figure, file)


def _title(matrix: Matrix) -> str:
    compared = [
        f"{measure.value_title(matrix.value)} ({measure.title_of_gain_unit(matrix.reference)})"
        for measure in matrix.measures
    ]
    return "\n".join([f"gain over {matrix.reference}", *compared, "bold: the 95 % interval leaves out 0"])


def _shade(gain: Estimate | None, measure: str) -> float:
    return np.nan if gain is None else gain.centre / MEASURES[measure].large_gain


def _write(axes: "Axes", place: tuple[int, int], cell: Cell, measure: str, ends: int | None) -> None:
    """What is in the cell of an arm and a task."""
    if cell.gain is None:
        text = textwrap.fill(cell.missing or "", WIDTH)
        axes.text(*place, text, ha="center", va="center", fontsize=7, color="0.4", parse_math=False)
        return
    alone = "one seed" if len(cell.seeds) == 1 else "one seed of reference"
    _write_gain(axes, place, cell.gain, measure, "" if ends is None else f"\nto step {ends:,}", alone)


def _write_gain(axes: "Axes", place: tuple[int, int], gain: Estimate, measure: str, note: str, alone: str = "") -> None:
    """The number of a cell, and below it its interval, or why there is none, and a note."""
    spec, scale = MEASURES[measure].gain_format, MEASURES[measure].large_gain
    below = alone if gain.low is None or gain.high is None else f"[{gain.low:{spec}}, {gain.high:{spec}}]"
    color = "white" if abs(gain.centre) / scale > 0.65 else "black"
    weight = "bold" if leaves_out_zero(gain) else "normal"
    across, down = place
    style: dict[str, Any] = {"ha": "center", "va": "center", "color": color, "weight": weight}
    axes.text(across, down - 0.16, f"{gain.centre:{spec}}", fontsize=10, **style)
    axes.text(across, down + 0.22, below + note, fontsize=7, **style)


def _name_sides(axes: "Axes", matrix: Matrix) -> None:
    tasks = [f"{_broken(column.env)}\n{unit(column)}" for column in matrix.columns]
    tasks += ["mean of\nthe tasks"] if any(matrix.means) else []
    axes.set_xticks(range(len(tasks)), labels=tasks, fontsize=8)
    axes.set_yticks(range(len(matrix.arms)), labels=[_broken(arm, 2 * WIDTH) for arm in matrix.arms], fontsize=9)
    for label in [*axes.get_xticklabels(), *axes.get_yticklabels()]:
        label.set_parse_math(False)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(len(tasks) - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(len(matrix.arms) - 1) + 0.5, minor=True)
    axes.tick_params(which="minor", length=0)
    axes.grid(which="minor", color="white", linewidth=2)


def _bar_labels(matrix: Matrix) -> list[str]:
    end = " /\n".join(measure.large_gain_text for measure in MEASURES.values() if measure in matrix.measures)
    return [f"−{end}", f"0: as\n{textwrap.fill(matrix.reference, WIDTH)}", f"+{end}"]


def _broken(name: str, width: int = WIDTH) -> str:
    """A long name in several lines, broken at slashes and hyphens where it can be."""
    return "\n".join(line for part in name.replace("/", "/\n").split("\n") for line in textwrap.wrap(part, width))
