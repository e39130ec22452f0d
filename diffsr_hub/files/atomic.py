"""Files and folders that come into their place whole, or not at all."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def write_bytes(file: Path, content: bytes | memoryview) -> None:
    """Write a file so that a reader finds the old one or the new one, never a half, and a failure leaves no debris."""
    partial = file.with_name(f".{file.name}.partial")
    try:
        partial.write_bytes(content)
        os.replace(partial, file)
    finally:
        partial.unlink(missing_ok=True)


def write_text(file: Path, text: str) -> None:
    """Write a text file in UTF-8, atomically."""
    write_bytes(file, text.encode())


def write_json(file: Path, content: Any) -> None:
    """Write strict JSON (no NaN, no infinity) atomically, with a stable layout."""
    write_text(file, json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder to be filled; it replaces the old one at the end, or disappears with the error.

    Args:
        folder: Its place.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        yield partial
        _put(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _put(new: Path, place: Path) -> None:
    """Rename a folder into its place; what is there is moved aside first, as removing it may stop half way."""
    replaced = place.with_name(f".{place.name}.replaced")
    shutil.rmtree(replaced, ignore_errors=True)
    if place.exists():
        place.rename(replaced)
    new.rename(place)
    shutil.rmtree(replaced, ignore_errors=True)
