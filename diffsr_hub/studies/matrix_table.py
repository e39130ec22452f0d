"""A transfer matrix as Markdown: a row for each arm, a column for each task."""

from diffsr_hub.presentation.markdown import UNKNOWN, in_cell, markdown_table
from diffsr_hub.studies.matrix import Cell, Column, Matrix
from diffsr_hub.studies.measure import MEASURES
from diffsr_hub.studies.statistics import Estimate

BOLD = (
    "**Bold**: the interval leaves out 0; without any effect this happens in about 20 % of the cells with three seeds "
    "of each, in 7 % with five, and in 14 % of the means over three or four tasks of three seeds."
)


def table(matrix: Matrix) -> str:
    """The table, with what its numbers mean."""
    head = ["", *(f"{in_cell(column.env)} ({unit(column)})" for column in matrix.columns)]
    rows = [
        [in_cell(arm), *(_text(column.cells[row], column.measure) for column in matrix.columns)]
        for row, arm in enumerate(matrix.arms)
    ]
    if any(matrix.means):
        head.append("mean of the tasks")
        for row, mean in zip(rows, matrix.means, strict=True):
            row.append(UNKNOWN if mean is None else f"{_written(mean.gain, mean.measure)} ({len(mean.tasks)} tasks)")
    return f"{markdown_table([head, *rows])}\n\n{_legend(matrix)}\n"


def unit(column: Column) -> str:
    """What a gain of 1 is in a task."""
    if MEASURES[column.measure].gain_unit is not None:
        return MEASURES[column.measure].gain_column
    if column.unit is None:
        return "no unit"
    return f"1 = {format(column.unit, ',.0f' if column.unit >= 100 else '.3g')}"


def leaves_out_zero(gain: Estimate) -> bool:
    """Whether the interval says which sign the gain has."""
    return gain.low is not None and gain.high is not None and (gain.low > 0 or gain.high < 0)


def shorter(matrix: Matrix) -> dict[tuple[str, str], int]:
    """Arm and task of the cells that end before the reference does → the step they end at."""
    return {
        (arm, column.env): cell.steps
        for column in matrix.columns
        for arm, cell in zip(matrix.arms, column.cells, strict=True)
        if cell.steps is not None and cell.steps != column.steps
    }


def _text(cell: Cell, measure: str) -> str:
    if cell.gain is None:
        return f"{UNKNOWN} ({cell.missing})"
    return _written(cell.gain, measure)


def _written(gain: Estimate, measure: str) -> str:
    text = format(gain, MEASURES[measure].gain_format)
    return f"**{text}**" if leaves_out_zero(gain) else text


def _legend(matrix: Matrix) -> str:
    cells = [cell for column in matrix.columns for cell in column.cells if cell.seeds]
    seeds = f"Seeds: {_range([len(cell.seeds) for cell in cells])} of each arm, " + (
        f"{_range([len(cell.reference_seeds) for cell in cells])} of {in_cell(matrix.reference)}."
    )
    text = [matrix.definition, BOLD, seeds]
    early: dict[str, list[int]] = {}
    for (arm, _), step in shorter(matrix).items():
        early.setdefault(in_cell(arm), []).append(step)
    if early:
        ends = [f"{arm} in {len(steps)} of the tasks, to {_range(steps)}" for arm, steps in early.items()]
        text.append(f"Not to the last step of {in_cell(matrix.reference)}: {'; '.join(ends)}.")
    return " ".join(text)


def _range(counts: list[int]) -> str:
    return f"{counts[0]:,}" if len(set(counts)) == 1 else f"{min(counts):,} to {max(counts):,}"
