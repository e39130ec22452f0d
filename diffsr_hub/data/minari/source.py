"""A Minari dataset on this machine: where it lies, what its metadata says, and which bytes it is made of.

Reads files only: neither Minari nor Gymnasium is imported, so that a cached dataset opens at once.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffsr_hub.errors import UserError

Fingerprint = dict[str, list[int]]
"""Relative path of each file of a dataset: its size in bytes and its modification time in ns."""

_METADATA = "metadata.json"
_MAIN_FILE = "main_data.hdf5"
_DEEPEST_NAMESPACE = 8  # a guard against links that form a ring
_READ_BYTES = 1 << 23  # large, as each block waits once for Python's lock


@dataclass(frozen=True)
class Source:
    """One dataset on disk."""

    id: str
    folder: Path
    """the `data` folder of the dataset"""
    metadata: dict[str, Any]
    """`metadata.json` as it is: spaces and environment spec are JSON inside strings"""

    @property
    def is_hdf5(self) -> bool:
        """Stored in Minari's HDF5 file, and not as Arrow or Parquet."""
        return bool(self.metadata["data_format"] == "hdf5")

    def files(self) -> list[Path]:
        """Every file, sorted by relative path."""
        return sorted(path for path in self.folder.rglob("*") if path.is_file())

    def fingerprint(self) -> Fingerprint:
        """What tells, without reading it, that the data has not been touched."""
        states = {path.relative_to(self.folder).as_posix(): path.stat() for path in self.files()}
        return {name: [state.st_size, state.st_mtime_ns] for name, state in states.items()}

    def sha256(self) -> str:
        """SHA-256 of the data file; of relative paths and contents, in order, where there are several.

        Raises:
            UserError: a file cannot be read.
        """
        files = [path for path in self.files() if path != self.folder / _METADATA]
        if len(files) == 1:
            return _sha256(files[0])
        total = hashlib.sha256()
        for path in files:
            total.update(f"{path.relative_to(self.folder).as_posix()}\0{_sha256(path)}\n".encode())
        return total.hexdigest()


def datasets_root() -> Path:
    """Minari's folder of datasets: `$MINARI_DATASETS_PATH`, or `~/.minari/datasets`."""
    chosen = os.environ.get("MINARI_DATASETS_PATH")
    return Path(chosen) if chosen else Path.home() / ".minari" / "datasets"


def open_source(identifier: str) -> Source:
    """Find a dataset on this machine by its exact id.

    Raises:
        UserError: it is not there, cannot be read, or its metadata is not Minari's.
    """
    folder = datasets_root() / identifier / "data"
    if not folder.is_dir():
        raise UserError(f"dataset {identifier} is not in {datasets_root()} (MINARI_DATASETS_PATH chooses the folder)")
    try:
        source = Source(identifier, folder, _read_json(folder / _METADATA))
    except (OSError, ValueError) as error:
        raise UserError(
            f"dataset {identifier}: cannot read {folder / _METADATA} ({error}); download it again"
        ) from error
    needed = ("observation_space", "action_space", "total_episodes", "data_format")
    missing = [key for key in needed if source.metadata.get(key) is None]
    if missing:
        raise UserError(f"dataset {identifier}: {folder / _METADATA} lacks {', '.join(missing)}; download it again")
    return source


def local_datasets() -> dict[str, str]:
    """Every complete dataset on this machine: its id and the version of Minari that wrote it."""
    found: dict[str, str] = {}
    _walk(datasets_root(), "", found, depth=0)
    return found


def _walk(root: Path, identifier: str, found: dict[str, str], *, depth: int) -> None:
    folder = root / identifier
    if depth > _DEEPEST_NAMESPACE or not os.access(folder, os.R_OK | os.X_OK):
        return
    if (folder / "data").is_dir():
        if version := _minari_version(folder / "data"):
            found[identifier] = version
        return
    for child in folder.iterdir():
        if child.is_dir() and not child.name.startswith("."):
            _walk(root, f"{identifier}/{child.name}".lstrip("/"), found, depth=depth + 1)


def _minari_version(folder: Path) -> str | None:
    """None for what an interrupted download leaves, so that it is downloaded again."""
    try:
        metadata = _read_json(folder / _METADATA)
    except (OSError, ValueError):
        return None
    complete = metadata.get("data_format", "hdf5") != "hdf5" or main_file(folder).is_file()
    return str(metadata.get("minari_version")) if complete else None


def main_file(folder: Path) -> Path:
    """The HDF5 file of a dataset's `data` folder."""
    return folder / _MAIN_FILE


def _read_json(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text())
    if not isinstance(content, dict):
        raise ValueError("it does not hold a JSON object")
    return content


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    block = memoryview(bytearray(_READ_BYTES))
    try:
        with path.open("rb", buffering=0) as file:
            while size := file.readinto(block):
                digest.update(block[:size])
    except OSError as error:
        raise UserError(f"cannot read {path} ({error.strerror or error})") from error
    return digest.hexdigest()
