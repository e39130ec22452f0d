import pytest

from diffsr_hub.presentation.markdown import in_cell, markdown_table


def test_the_first_row_is_the_head() -> None:
    assert markdown_table([["", "a"], ["x", "1"]]) == "|  | a |\n| --- | --- |\n| x | 1 |"
    assert markdown_table([["a"]]) == "| a |\n| --- |"


def test_every_row_has_every_column() -> None:
    with pytest.raises(ValueError, match=r"have \[1, 2\] cells"):
        markdown_table([["a", "b"], ["1"]])


def test_a_name_stays_in_its_cell() -> None:
    assert in_cell(" a|b\nc ") == "a\\|b c"
