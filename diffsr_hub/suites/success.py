"""What a success is: in the info of an environment's step, and in what a dataset notes of its episodes."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from diffsr_hub.errors import UserError, plain

KEYS = ("success", "is_success")
"""under which it is noted, the first one first; the second is Stable-Baselines3's"""
_WORDS = {"true": True, "false": False}


def succeeded(info: Mapping[str, Any]) -> bool | None:
    """Whether a step was a success by its info; None where the info does not say.

    A flag, a number or an array of them is a success if all of them are true. The texts "True" and "False" are read
    as what they say. None, NaN and an empty array say nothing.

    Raises:
        UserError: It is another text, or no flag at all.
    """
    return next((found for key in KEYS if (found := _truth(info.get(key))) is not None), None)


def ever_succeeded(notes: Mapping[str, Any]) -> bool | None:
    """Whether an episode was a success by its metadata, or by its infos `[T, …]`: if any step was.

    Raises:
        UserError: As of `succeeded`.
    """
    for key in KEYS:
        note: Any = notes.get(key)
        steps: Any = note if isinstance(note, list | tuple) or np.ndim(note) else [note]
        said = [found for step in steps if (found := _truth(step)) is not None]
        if said:
            return any(said)
    return None


def _truth(note: Any) -> bool | None:
    """What one note says."""
    if isinstance(note, bytes):
        note = note.decode(errors="replace")
    if isinstance(note, str):
        return _read(note)
    values = np.asarray(note.detach().cpu() if hasattr(note, "detach") else note)
    if values.dtype.kind in "biuf":
        return None if not values.size or np.isnan(values).any() else bool(values.all())
    if not values.ndim and note is not None:
        raise UserError(f"a success must be a flag or a number, got {plain(note)!r}")
    said = [_truth(part) for part in values.ravel()] if values.ndim else []
    return None if not said or None in said else all(said)


def _read(text: str) -> bool:
    """What a text says."""
    found = _WORDS.get(text.strip().lower())
    if found is None:
        raise UserError(f"a success must be a flag or a number, got the text {plain(text)!r}")
    return found
