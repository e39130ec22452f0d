"""An exported folder: the files that it has, and how it comes into its place: whole, or not at all."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from diffsr_hub.saved.model_folder import CONFIG, WEIGHTS

CARD = "README.md"
DATASET, DIAGNOSTICS, PICTURE, TRANSFER = "dataset.json", "diagnostics.json", "diagnostics.png", "transfer.json"
TRAINING, EVALUATION, RESULTS = "training.json", "evaluation.json", "results.json"
CURVE, VIDEO = "learning_curve.png", "replay.mp4"


class Files(NamedTuple):
    """The files of one kind of folder."""

    required: frozenset[str]
    optional: frozenset[str]


FILES = {
    "DiffSR": Files(frozenset({CONFIG, WEIGHTS, CARD, DATASET, DIAGNOSTICS, PICTURE}), frozenset({TRANSFER})),
    "Agent": Files(frozenset({CONFIG, WEIGHTS, CARD, TRAINING, EVALUATION, RESULTS, CURVE}), frozenset({VIDEO})),
}
"""model type → what its folder holds; whatever is not named here is never published"""


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
