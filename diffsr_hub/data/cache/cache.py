"""Datasets as memory-mapped float32 arrays on disk: `CACHE/FORMAT-vVERSION/ID/KEY/`, a copy that may always be deleted.

An entry is built beside its place and renamed into it, so that there are only whole entries, whoever builds or dies at
the same time. Opening one reads every byte once, for the checksums; what does not check is built again.
"""

import errno
import hashlib
import json
import logging
import shutil
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from diffsr_hub.data.cache.arrays import verify
from diffsr_hub.data.cache.build import ARRAYS, build
from diffsr_hub.data.dataset import Dataset
from diffsr_hub.errors import UserError
from diffsr_hub.files.paths import environment_path, home

_VERSION = 2  # raise it whenever the arrays would come out differently
_INDEX = "index.json"
_INDEX_KEYS = {"origin", "obs_parts", "action_low", "action_high", "arrays", "provenance"}

_log = logging.getLogger(__name__)


def cache_root() -> Path:
    """`$DIFFSR_CACHE`, or `diffsr-hub` under `$XDG_CACHE_HOME` or `~/.cache`.

    Raises:
        UserError: none of them is set, and this user has no home folder.
    """
    if chosen := environment_path("DIFFSR_CACHE"):
        return chosen
    return (environment_path("XDG_CACHE_HOME") or home("DIFFSR_CACHE") / ".cache") / "diffsr-hub"


def cached(dataset: Dataset, root: Path) -> tuple[Path, dict[str, Any]]:
    """Find a dataset's arrays, or build them.

    Args:
        dataset: the dataset.
        root: the cache's folder.

    Returns:
        The folder of the arrays, verified, and its index.

    Raises:
        UserError: the dataset is malformed or changes while it is read, or the cache cannot be written.
    """
    parent, origin = root / f"{dataset.format}-v{_VERSION}" / dataset.id, dataset.fingerprint()
    entries = [path for path in parent.glob("*") if not path.name.startswith(".")]
    for folder in entries:  # the quick way: the files have not been touched since, so they need not be hashed
        index = _read_index(folder)
        if index and index["origin"] == origin and _intact(folder, index):
            return folder, index
    with _cache_errors(root), ThreadPoolExecutor(max_workers=1) as thread:
        hashing = thread.submit(dataset.sha256)  # beside the reading: hashing does not hold Python's lock
        if entries:
            folder = parent / _key(dataset, _provenance(dataset, hashing))
            index = _read_index(folder)
            if index and _intact(folder, index):
                return folder, _refresh(folder, index, origin)
        return _build(dataset, parent, origin, hashing)


def _build(dataset: Dataset, parent: Path, origin: Any, hashing: Future[str]) -> tuple[Path, dict[str, Any]]:
    _log.info("reading %s into the cache at %s", dataset.id, parent)
    work = parent / f".building-{uuid.uuid4().hex}"
    try:
        work.mkdir(parents=True)
        built = build(dataset, work)
        index = {"origin": origin, **built, "provenance": _provenance(dataset, hashing)}
        _write_index(work, index)
        if dataset.fingerprint() != origin:
            raise UserError(f"dataset {dataset.id} changed while it was read: start again when nothing writes to it")
        return _publish(work, parent / _key(dataset, index["provenance"])), index
    finally:  # after a success there is nothing left to remove
        shutil.rmtree(work, ignore_errors=True)


def _publish(work: Path, folder: Path) -> Path:
    """Rename a built entry into its place; if another process was first, its entry holds the same."""
    try:
        work.rename(folder)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    return folder


def _provenance(dataset: Dataset, hashing: Future[str]) -> dict[str, Any]:
    return {**dataset.provenance(), "sha256": hashing.result()}


def _key(dataset: Dataset, provenance: dict[str, Any]) -> str:
    """Of the data, of what is noted of it, and of the spaces, which say how it is scaled."""
    content = json.dumps([provenance, dataset.spaces], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def _read_index(folder: Path) -> dict[str, Any] | None:
    """None if there is no such entry, or if it is damaged; a damaged one is removed."""
    if not folder.exists():
        return None
    try:
        index: dict[str, Any] = json.loads((folder / _INDEX).read_text())
        if missing := _INDEX_KEYS - index.keys():
            raise ValueError(f"{_INDEX} lacks {', '.join(sorted(missing))}")
    except (OSError, ValueError, AttributeError) as error:
        _discard(folder, str(error))
        return None
    return index


def _intact(folder: Path, index: dict[str, Any]) -> bool:
    """Whether every array is as it was written; if not, the entry is removed."""
    try:
        for name in ARRAYS:
            verify(folder / f"{name}.npy", index["arrays"][name])
    except (OSError, ValueError, TypeError, KeyError) as error:
        _discard(folder, str(error))
        return False
    return True


def _discard(folder: Path, reason: str) -> None:
    _log.warning("the cache entry %s is damaged (%s): building it again", folder, reason)
    grave = folder.with_name(f".damaged-{uuid.uuid4().hex}")
    with suppress(OSError):  # another process may have been first
        folder.rename(grave)
    shutil.rmtree(grave, ignore_errors=True)


def _refresh(folder: Path, index: dict[str, Any], origin: dict[str, Any]) -> dict[str, Any]:
    """Note the files' new times, so that the next time they need not be hashed."""
    index = index | {"origin": origin}
    with suppress(OSError):  # a cache that cannot be written is still good to read
        _write_index(folder, index)
    return index


def _write_index(folder: Path, index: dict[str, Any]) -> None:
    # Not by `files.atomic`, whose partial file has one name: several processes may note the same thing at a time.
    temporary = folder / f".{_INDEX}-{uuid.uuid4().hex}"
    temporary.write_text(json.dumps(index, indent=1))
    temporary.replace(folder / _INDEX)


@contextmanager
def _cache_errors(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        advice = "set DIFFSR_CACHE to a folder that can be written and has space"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(f"the disk is full while writing the cache {root}: free some space, or {advice}") from error
        raise UserError(f"cannot write the cache {root} ({error.strerror or error}): {advice}") from error
