"""A replay buffer on disk: a file for every checkpoint, with the steps added since the one before.

Files are never changed, so that a crash between two checkpoints leaves the older state whole, also where the ring has
started to overwrite itself.
"""

from itertools import pairwise
from pathlib import Path

from finetune.learning.replay import Replay
from finetune.running import checkpoint

_NAME = "steps-{:012d}.safetensors"


def append(folder: Path, replay: Replay, saved: int) -> None:
    """Write the steps added since `saved` of them were.

    Args:
        folder: Where the files are.
        replay: The buffer.
        saved: How many steps of each environment had been added at the checkpoint before.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if replay.added > saved:
        checkpoint.save(folder / _NAME.format(saved), replay.since(saved))


def drop_forgotten(folder: Path, replay: Replay) -> None:
    """Delete the files whose steps the ring has all overwritten; only after the checkpoint that says so."""
    files = sorted(folder.glob("steps-*.safetensors"))
    for file, later in pairwise(files):
        if _first(later) <= replay.added - replay.slots:
            file.unlink()


def restore(folder: Path, replay: Replay, added: int) -> None:
    """Fill an empty buffer with what it held when so many steps of each environment had been added.

    Raises:
        UserError: A file is missing or cannot be read.
    """
    files = {_first(file): file for file in folder.glob("steps-*.safetensors")}
    for first in sorted(first for first in files if first < added):
        replay.extend(checkpoint.load(files[first]))
    if replay.added != added:
        raise checkpoint.unreadable(folder, f"holds {replay.added} steps, not {added}")


def _first(file: Path) -> int:
    return int(file.stem.removeprefix("steps-"))
