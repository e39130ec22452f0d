"""JSON may be anybody's: it is small, finite, and read from a plain file, or refused in one line."""

import os
from pathlib import Path

import pytest

from diffsr_hub.files.atomic import write_json
from diffsr_hub.files.strict_json import read_json
from tests.refusal import refusal


def test_what_was_written_is_read(tmp_path: Path) -> None:
    content = {"ψ": [1, 2.5, -3e300, None, True, ""], "n": 10**100}
    write_json(tmp_path / "x.json", content)
    assert read_json(tmp_path / "x.json") == content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
        (b"\xff\xfe{}", "can't decode byte 0xff"),
        (b"[" * 200_000, ""),
        (b'{"a":' * 100_000, ""),
        (b"[" + b"1," * 1_000_000 + b"1]", "larger than 1,000,000 bytes"),
        (b'{"a": 1' + b"0" * 5000 + b"}", "'100000000000...0000000000000' is not a finite number"),
        (b'{"a": 1e999}', "'1e999' is not a finite number"),
        (b'{"a": NaN}', "'NaN' is not a finite number"),
        (b'{"a": -Infinity}', "'-Infinity' is not a finite number"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_other_content_is_refused_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(content)
    refused = refusal(lambda: read_json(file))
    assert refused.startswith(f"{file} cannot be read as JSON: ") and message in refused


def test_a_file_of_the_limit_is_read_and_one_byte_more_is_not(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b"[123]")
    assert read_json(tmp_path / "x.json", limit=5) == [123]
    assert "larger than 4 bytes" in refusal(lambda: read_json(tmp_path / "x.json", limit=4))


def test_what_is_no_plain_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for file in (tmp_path / "pipe", tmp_path):
        assert "it is not a file" in refusal(lambda file=file: read_json(file))
    assert "No such file" in refusal(lambda: read_json(tmp_path / "nothing"))
