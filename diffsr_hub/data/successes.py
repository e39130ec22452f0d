"""Which episodes of Minari datasets are noted as a success, as those of Meta-World's tasks are."""

from collections.abc import Sequence

import numpy as np

from diffsr_hub.data.source import open_source


def successes(ids: Sequence[str]) -> list[bool]:
    """Whether the metadata of an episode has a true `success`, of all episodes in the order of `load(ids)`.

    Args:
        ids: of datasets on this machine.

    Raises:
        UserError: one is not here.
    """
    from minari.dataset.minari_storage import MinariStorage

    noted = []
    for source in map(open_source, ids):
        episodes = range(source.metadata["total_episodes"])
        notes = MinariStorage.read(source.folder).get_episode_metadata(episodes)
        noted += [bool(np.any(note.get("success"))) for note in notes]
    return noted
