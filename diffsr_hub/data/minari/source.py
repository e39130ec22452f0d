"""A Minari dataset on this machine: where it lies, what its metadata says, and which bytes it is made of.

Reads files only: neither Minari nor Gymnasium is imported, so that a cached dataset opens at once.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffsr_hub.data.minari.ids import is_id
from diffsr_hub.errors import UserError, plain
from diffsr_hub.files.lfs import check_no_pointer
from diffsr_hub.files.paths import environment_path, home

Fingerprint = dict[str, list[int]]
"""Relative path of each file of a dataset: its size in bytes and its modification time in ns."""

FORMATS = ("hdf5", "arrow", "parquet")
"""how Minari stores data"""

_METADATA = "metadata.json"
_MAIN_FILE = "main_data.hdf5"
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

    @property
    def episodes(self) -> int:
        """How many there are, as its metadata say."""
        return int(self.metadata["total_episodes"])

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
    """Minari's folder of datasets: `$MINARI_DATASETS_PATH`, or `~/.minari/datasets`.

    Raises:
        UserError: neither is there: this user has no home folder.
    """
    chosen = environment_path("MINARI_DATASETS_PATH")
    return chosen or home("MINARI_DATASETS_PATH") / ".minari" / "datasets"


def make_root() -> Path:
    """The same folder, made where it is not there yet, as an absolute path, which is set for Minari's own functions.

    Those know no `~`, and write nothing into a relative folder.

    Raises:
        UserError: as `datasets_root`.
        OSError: it cannot be made.
    """
    root = datasets_root().absolute()
    root.mkdir(parents=True, exist_ok=True)
    os.environ["MINARI_DATASETS_PATH"] = str(root)
    return root


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
    except (OSError, ValueError, RecursionError) as error:
        check_no_pointer(folder / _METADATA)
        raise UserError(
            f"dataset {identifier}: cannot read {folder / _METADATA} ({error}); download it again"
        ) from error
    needed = ("observation_space", "action_space", "total_episodes", "data_format")
    missing = [key for key in needed if source.metadata.get(key) is None]
    if missing:
        raise UserError(f"dataset {identifier}: {folder / _METADATA} lacks {', '.join(missing)}; download it again")
    _check(source)
    return source


def _check(source: Source) -> None:
    """Refuse metadata that mean nothing to us."""
    episodes, data_format = source.metadata["total_episodes"], source.metadata["data_format"]
    if type(episodes) is not int:
        raise UserError(f"dataset {source.id}: total_episodes in its metadata is {plain(episodes)!r}, not a number")
    if data_format not in FORMATS:
        raise UserError(f"dataset {source.id} is stored as {plain(data_format)!r}; {', '.join(FORMATS)} can be read")


def local_datasets() -> dict[str, str]:
    """Every complete dataset on this machine: its id and the version of Minari that wrote it."""
    found: dict[str, str] = {}
    _walk(datasets_root(), "", found, frozenset())
    return found


def _walk(root: Path, identifier: str, found: dict[str, str], above: frozenset[Path]) -> None:
    """Look for datasets in a folder and in those inside it; what cannot be one, or cannot be read, is passed over."""
    folder = root / identifier
    if (place := Path(os.path.realpath(folder))) in above:  # a link to a folder that it is in
        return
    if is_id(identifier) and (version := _minari_version(folder / "data")):
        found[identifier] = version
        return
    for name in _folders(folder):
        _walk(root, f"{identifier}/{name}".lstrip("/"), found, above | {place})


def _folders(folder: Path) -> list[str]:
    """Names of the folders inside one that a dataset's id can lead through; none where it cannot be read."""
    try:
        with os.scandir(folder) as inside:
            return sorted(entry.name for entry in inside if is_id(entry.name) and os.path.isdir(entry))
    except OSError:
        return []


def _minari_version(folder: Path) -> str | None:
    """None for what an interrupted download leaves, so that it is downloaded again."""
    try:
        metadata = _read_json(folder / _METADATA)
    except (OSError, ValueError, RecursionError):
        return None
    complete = metadata.get("data_format", "hdf5") != "hdf5" or os.path.isfile(main_file(folder))
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
