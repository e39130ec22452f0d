from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffsr_hub.errors import UserError
from diffsr_hub.files.json_lines import read_json_lines, write_json_lines

VALUES = st.floats(allow_nan=False, allow_infinity=False) | st.text() | st.integers() | st.booleans() | st.none()


@given(st.lists(st.dictionaries(st.text(), VALUES | st.lists(VALUES)), max_size=4))
def test_records_come_back_on_a_line_each(tmp_path_factory: pytest.TempPathFactory, records: list[Any]) -> None:
    file = tmp_path_factory.mktemp("lines") / "new" / "records.jsonl"
    write_json_lines(file, records)
    assert read_json_lines(file) == records
    assert file.read_bytes().count(b"\n") == len(records)
    assert [path.name for path in file.parent.iterdir()] == ["records.jsonl"]


def test_what_is_no_record_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    with pytest.raises(UserError, match="cannot be read as JSON lines"):
        read_json_lines(file)
    wrong = {"{}\n{": r"^line 2 of .*records\.jsonl is no JSON: ", "{}\n[]\n": "line 2 .* is no JSON object"}
    for content, message in wrong.items():
        file.write_text(content)
        with pytest.raises(UserError, match=message) as error:
            read_json_lines(file)
        assert "\n" not in str(error.value)


def test_nothing_is_written_that_is_not_json(tmp_path: Path) -> None:
    write_json_lines(tmp_path / "a.jsonl", [{"a": 1}])
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json_lines(tmp_path / "a.jsonl", [{"a": float("nan")}])
    assert read_json_lines(tmp_path / "a.jsonl") == [{"a": 1}]
