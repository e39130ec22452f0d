"""JSON of reasonable size, in which every number is finite: the file may be anybody's."""

import json
import math
import reprlib
from pathlib import Path
from typing import Any

from diffsr_hub.errors import UserError, on_one_line
from diffsr_hub.files.lfs import check_no_pointer

MAX_JSON_BYTES = 1_000_000


def read_json(file: Path, limit: int = MAX_JSON_BYTES) -> Any:
    """The content of a JSON file of reasonable size, in which every number is finite.

    Args:
        file: A plain file, of which never more than `limit` bytes and one are read.
        limit: Largest size in bytes; parsed, it may take 25 times as much.

    Raises:
        UserError: It is no plain file, larger, not JSON, or holds NaN, infinity or a number beyond float64.
    """
    try:
        if file.exists() and not file.is_file():  # a pipe would never end, nor would /dev/zero
            raise ValueError("it is not a file")
        with file.open("rb") as opened:
            content = opened.read(limit + 1)
        if len(content) > limit:
            raise ValueError(f"larger than {limit:,} bytes")
        return json.loads(content.decode(), parse_int=_whole, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError, OSError) as error:
        check_no_pointer(file)
        raise UserError(f"{file} cannot be read as JSON: {on_one_line(error)}") from error


def _whole(text: str) -> int:
    _finite(text)
    return int(text)


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{reprlib.repr(text)} is not a finite number")
    return number
