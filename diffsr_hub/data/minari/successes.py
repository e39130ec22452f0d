"""Which episodes of Minari datasets are noted as a success, as those of Meta-World's tasks are."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from diffsr_hub.data.minari.source import open_source
from diffsr_hub.errors import UserError
from diffsr_hub.suites.success import KEYS, ever_succeeded

if TYPE_CHECKING:
    from minari.dataset.minari_storage import MinariStorage


def successes(ids: Sequence[str]) -> list[bool]:
    """Whether an episode was a success, of all episodes in the order of `load(ids)`.

    It was if its metadata say so, or, in datasets whose metadata say nothing of it, if a step was by its infos,
    which Minari's `DataCollector(env, record_infos=True)` keeps. `diffsr_hub.suites.success` says what a success is.

    Args:
        ids: of datasets on this machine.

    Raises:
        UserError: one is not here, or notes something as a success that is no flag.
    """
    from minari.dataset.minari_storage import MinariStorage

    noted: list[bool] = []
    for source in map(open_source, ids):
        episodes = range(source.metadata["total_episodes"])
        storage = MinariStorage.read(source.folder)
        found = _read(source.id, storage.get_episode_metadata(episodes))
        if all(success is None for success in found):
            found = _read(source.id, _infos(storage, episodes))
        noted += map(bool, found)
    return noted


def _read(dataset: str, notes: Iterable[Mapping[str, Any]]) -> list[bool | None]:
    """What the notes of each episode say; None for nothing."""
    found = []
    for i, note in enumerate(notes):
        try:
            found.append(ever_succeeded(note))
        except UserError as error:
            raise UserError(f"{dataset}, episode {i}: {error}") from error
    return found


def _infos(storage: "MinariStorage", episodes: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    """The infos of success of each episode."""
    for i in episodes:
        (episode,) = storage.get_episodes([i])
        infos = episode.get("infos") or {}
        yield {key: infos[key] for key in KEYS if key in infos}
