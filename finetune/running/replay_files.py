"""A replay buffer on disk: a file for every checkpoint, with the rows added since the one before.

Files are never changed, so that a crash between two checkpoints leaves the older state whole, also where the ring has
begun to overwrite itself.
"""

from itertools import pairwise
from pathlib import Path

from finetune.learning.replay import Replay
from finetune.running import checkpoint

_NAME = "rows-{:012d}.safetensors"


def append(folder: Path, replay: Replay, saved: int) -> None:
    """Write the rows added since `saved` of them were.

    Args:
        folder: Where the files are.
        replay: The buffer.
        saved: How many rows had been added at the checkpoint before.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if replay.added > saved:
        checkpoint.save(folder / _NAME.format(saved), {"rows": replay.newest(saved), "end": replay.added})


def drop_forgotten(folder: Path, replay: Replay) -> None:
    """Delete the files whose rows the ring has all overwritten; only after the checkpoint that says so."""
    files = sorted(folder.glob("rows-*.safetensors"))
    for file, later in pairwise(files):
        if _first(later) <= replay.added - len(replay.rows):
            file.unlink()


def restore(folder: Path, replay: Replay, added: int) -> None:
    """Fill an empty buffer with what it held when `added` rows had been added.

    Raises:
        UserError: A file is missing or cannot be read.
    """
    files = {_first(file): file for file in folder.glob("rows-*.safetensors")}
    for first in sorted(first for first in files if first < added):
        part = checkpoint.load(files[first])
        replay.added = part["end"] - len(part["rows"])
        replay.add_rows(part["rows"])
    if replay.added != added:
        raise checkpoint.unreadable(folder, f"holds {replay.added} rows, not {added}")


def _first(file: Path) -> int:
    return int(file.stem.removeprefix("rows-"))
