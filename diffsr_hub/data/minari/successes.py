"""Which episodes of Minari datasets are noted as a success, as those of Meta-World's tasks are."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from diffsr_hub.data.minari.source import open_source

if TYPE_CHECKING:
    from minari.dataset.minari_storage import MinariStorage


def successes(ids: Sequence[str]) -> list[bool]:
    """Whether an episode was a success, of all episodes in the order of `load(ids)`.

    It was if its metadata say so, or, in datasets whose metadata say nothing of it, if `success` was true in the infos
    of a step, which Minari's `DataCollector(env, record_infos=True)` keeps.

    Args:
        ids: of datasets on this machine.

    Raises:
        UserError: one is not here.
    """
    from minari.dataset.minari_storage import MinariStorage

    noted: list[bool] = []
    for source in map(open_source, ids):
        episodes = range(source.metadata["total_episodes"])
        storage = MinariStorage.read(source.folder)
        notes = [note.get("success") for note in storage.get_episode_metadata(episodes)]
        noted += map(_is_true, notes if any(note is not None for note in notes) else _infos(storage, episodes))
    return noted


def _infos(storage: "MinariStorage", episodes: Sequence[int]) -> Iterator[Any]:
    """What the infos of each episode say about success; None for nothing."""
    for i in episodes:
        (episode,) = storage.get_episodes([i])
        yield (episode.get("infos") or {}).get("success")


def _is_true(note: Any) -> bool:
    """Of a note that is a flag, a number or an array; a word is none, be it "False" or "True"."""
    values = np.asarray(note)
    return values.dtype.kind in "biuf" and bool(values.any())
