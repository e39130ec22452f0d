"""What may be published: exactly the files of an export, that load strictly, with a card that has no holes."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from diffsr_hub import pretrained
from diffsr_hub.card import PLACEHOLDER
from diffsr_hub.errors import UserError
from diffsr_hub.exported_folder import CARD, FILES, Files
from diffsr_hub.hub import load_class, model_type

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,47}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_METADATA = ("license", "library_name", "pipeline_tag", "tags")
_LINK = re.compile(r"\]\(\s*(?!https?://|#|mailto:)([^)\s]+)")
_MARK = re.compile(r"\{\{|\{%|%\}|\{#")
_MAX_CARD_BYTES = 1_000_000
_BEGINNINGS = {".png": (b"\x89PNG\r\n", "a picture"), ".mp4": (b"ftyp", "a film")}
"""suffix → what a file of that kind has within its first 12 bytes, and is"""


def publishable(folder: Path) -> list[Path]:
    """The files of a folder that is ready to be published, by name.

    Raises:
        UserError: It does not load, holds other files, or its card is not finished.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder")
    kind = model_type(folder / pretrained.CONFIG)
    files = sorted(folder.iterdir())
    _check_files(folder, files, FILES[kind])
    load_class(kind).from_pretrained(folder)
    for hole in _holes(folder):
        raise UserError(f"{folder / CARD} {hole}: `diffsr card {folder} --repository org/name` writes it anew")
    return files


def check_repository(name: str) -> None:
    """Refuse what the Hub would refuse as a name.

    Raises:
        UserError: It is not like org/name.
    """
    if not _REPOSITORY.fullmatch(name) or "--" in name or ".." in name:
        raise UserError(f"{name[:100]!r} is no repository: one is called like org/name")


def _check_files(folder: Path, files: list[Path], expected: Files) -> None:
    names = {file.name for file in files}
    if missing := sorted(expected.required - names):
        raise UserError(f"{folder} lacks {', '.join(missing)}: it is not a whole export")
    if extra := sorted(names - expected.required - expected.optional):
        raise UserError(f"{folder} holds {', '.join(map(repr, extra[:5]))}, which would be published: move it away")
    for file in files:
        if file.is_symlink() or not file.is_file():
            raise UserError(f"{file} is a link or a folder; only plain files are published")


def _holes(folder: Path) -> Iterator[str]:
    """What is not finished about the card."""
    try:
        if (folder / CARD).stat().st_size > _MAX_CARD_BYTES:
            raise ValueError("too large")
        text = (folder / CARD).read_text(encoding="utf-8")
    except ValueError:
        yield f"is not text in UTF-8 of at most {_MAX_CARD_BYTES:,} bytes"
        return
    metadata = front_matter(text)
    yield from (f"has no {key} in its metadata" for key in _METADATA if not metadata.get(key))
    if mark := _MARK.search(text):
        yield f"has a template mark {mark[0]} left in it"
    if PLACEHOLDER in text:
        yield f"tells readers to load {PLACEHOLDER}"
    there = {file.name for file in folder.iterdir()}
    yield from (
        f"shows {target[:100]!r}, which is not in the folder" for target in _LINK.findall(text) if target not in there
    )
    for name in sorted(there):
        beginning, kind = _BEGINNINGS.get(Path(name).suffix, (b"", ""))
        if beginning not in _beginning(folder / name):
            yield f"shows {name}, which is not {kind}"


def _beginning(file: Path) -> bytes:
    with file.open("rb") as content:
        return content.read(12)


def front_matter(text: str) -> dict[str, Any]:
    """The metadata of a card; empty where there is none, or none that can be read."""
    if not text.startswith("---\n"):
        return {}
    front = text.removeprefix("---\n").split("\n---\n", 1)[0]
    if re.search(r"[&*]\w", front):  # aliases, of which a small file makes a gigantic value
        return {}
    try:
        found = yaml.safe_load(front)
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
