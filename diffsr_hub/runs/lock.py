"""One process at a time in a run folder. The system takes the lock from a process that is gone, however it went."""

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from diffsr_hub.errors import UserError
from diffsr_hub.files.atomic import write_json
from diffsr_hub.runs.interrupt import LAUNCHER

LOCK, OWNER = ".lock", ".lock-owner.json"
SAVING_SECONDS = 60.0
"""that a launcher's program waits for the one before it, which may be saving itself still"""


class InUse(UserError):
    """Another process is at work in the folder; later it may not be."""

    exit_code = os.EX_TEMPFAIL


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep every other process out of a folder while the context lasts.

    Raises:
        InUse: Another process has it; the message says which.
        OSError: The folder cannot be written.
    """
    lock = FileLock(folder / LOCK, timeout=SAVING_SECONDS if LAUNCHER in os.environ else 0)
    try:
        lock.acquire()
    except Timeout as error:
        raise InUse(f"{folder} is in use by {_owner(folder)}; wait for it, or start a new run") from error
    try:
        since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        write_json(folder / OWNER, {"pid": os.getpid(), "host": platform.node(), "since": since})
        yield
    finally:
        (folder / OWNER).unlink(missing_ok=True)
        lock.release()


def _owner(folder: Path) -> str:
    try:
        owner = json.loads((folder / OWNER).read_text(encoding="utf-8"))
        return f"process {owner['pid']} on {owner['host']} since {owner['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
