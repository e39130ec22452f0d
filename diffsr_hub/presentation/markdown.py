"""Markdown tables."""

from collections.abc import Iterable, Iterator, Sequence

UNKNOWN = "–"
"""in a cell whose number is not known"""


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """A table without a line break at its end; the first of the `rows` is the head.

    Raises:
        ValueError: The rows are of different lengths.
    """
    return "\n".join(markdown_lines(rows))


def markdown_lines(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table, each as soon as there is its row.

    Raises:
        ValueError: The rows are of different lengths.
    """
    columns = 0
    for row in rows:
        if columns and len(row) != columns:
            raise ValueError(f"a row of a table has {len(row)} cells, the first has {columns}")
        yield f"| {' | '.join(row)} |"
        if not columns:
            columns = len(row)
            yield f"| {' | '.join(['---'] * columns)} |"


def in_cell(name: str) -> str:
    """Somebody's name, so that it does not end its cell or its line."""
    return " ".join(name.split()).replace("|", "\\|")
