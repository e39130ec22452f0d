"""JSON lines: a file of records, one on each line."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from diffsr_hub.errors import UserError, on_one_line
from diffsr_hub.files.atomic import write_text

SUFFIX = ".jsonl"
Record = dict[str, Any]


def read_json_lines(file: Path) -> list[Record]:
    """The records of a file, in its order.

    Raises:
        UserError: The file cannot be read, or a line of it is no JSON object.
    """
    try:
        lines = [line for line in file.read_text(encoding="utf-8").split("\n") if line.strip()]
    except (OSError, ValueError) as error:
        raise UserError(f"{file} cannot be read as JSON lines: {on_one_line(error)}") from error
    return [_record(line, f"line {number} of {file}") for number, line in enumerate(lines, start=1)]


def write_json_lines(file: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write records without spaces, atomically; the folder is made where it is missing."""
    lines = [json.dumps(record, allow_nan=False, ensure_ascii=False, separators=(",", ":")) for record in records]
    file.parent.mkdir(parents=True, exist_ok=True)
    write_text(file, "".join(f"{line}\n" for line in lines))


def _record(line: str, place: str) -> Record:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{place} is no JSON: {on_one_line(error)}") from error
    if not isinstance(record, dict):
        raise UserError(f"{place} is no JSON object, such as {{…}}")
    return record
