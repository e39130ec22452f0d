from collections.abc import Iterator

import pytest

from diffsr_hub.presentation.markdown import in_cell, markdown_lines, markdown_table


def test_the_first_row_is_the_head() -> None:
    assert markdown_table([["", "a"], ["x", "1"]]) == "|  | a |\n| --- | --- |\n| x | 1 |"
    assert markdown_table([["a"]]) == "| a |\n| --- |"


def test_every_row_has_every_column() -> None:
    with pytest.raises(ValueError, match="a row of a table has 1 cells, the first has 2"):
        markdown_table([["a", "b"], ["1"]])


def test_a_name_stays_in_its_cell() -> None:
    assert in_cell(" a|b\nc ") == "a\\|b c"


def test_lines_come_as_their_rows_do() -> None:
    measured: list[str] = []

    def rows() -> Iterator[list[str]]:
        yield ["a"]
        for value in ("1", "2"):
            measured.append(value)
            yield [value]

    lines = markdown_lines(rows())
    assert [next(lines) for _ in range(3)] == ["| a |", "| --- |", "| 1 |"] and measured == ["1"]
