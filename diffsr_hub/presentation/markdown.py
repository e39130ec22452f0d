"""Markdown tables."""

from collections.abc import Sequence

UNKNOWN = "–"
"""in a cell whose number is not known"""


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """A table without a line break at its end; the first of the `rows` is the head.

    Raises:
        ValueError: The rows are of different lengths.
    """
    head, *others = rows
    if any(len(row) != len(head) for row in others):
        raise ValueError(f"the rows of a table have {sorted({len(row) for row in rows})} cells")
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *others))


def in_cell(name: str) -> str:
    """Somebody's name, so that it does not end its cell or its line."""
    return " ".join(name.split()).replace("|", "\\|")
