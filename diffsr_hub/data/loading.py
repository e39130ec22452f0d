"""Exact ids of datasets on this machine to `Episodes`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from diffsr_hub.data.cache.arrays import open_mapped
from diffsr_hub.data.cache.build import ARRAYS
from diffsr_hub.data.cache.cache import cache_root, cached
from diffsr_hub.data.episodes import Episodes, Part
from diffsr_hub.data.minari.source import Source, open_source
from diffsr_hub.data.spaces import difference
from diffsr_hub.errors import UserError

PICTURES = {"render_mode", "camera_name", "camera_id", "width", "height"}
"""arguments of environments that say what is shown and nothing else"""


def load(ids: Sequence[str], *, cache_dir: Path | None = None) -> Episodes:
    """Open datasets as memory-mapped float32 arrays, reading them into the cache where they are not there yet.

    Args:
        ids: exact ids, with version, of datasets on this machine (see `resolve`).
        cache_dir: None for `$DIFFSR_CACHE`, or `diffsr-hub` in the user's cache folder.

    Raises:
        UserError: a dataset is missing, unreadable, malformed or not supported, or their spaces differ.
    """
    if not ids:
        raise UserError("no dataset was named")
    sources = [open_source(identifier) for identifier in ids]
    _check_spaces(sources)
    root = cache_root() if cache_dir is None else cache_dir
    entries = [cached(source, root) for source in sources]
    indexes = [index for _, index in entries]
    specs = [index["provenance"]["env_spec"] or {} for index in indexes]
    env_ids = {spec["id"] for spec in specs if "id" in spec}
    return Episodes(
        [_part(folder) for folder, _ in entries],
        env_id=env_ids.pop() if len(env_ids) == 1 else None,
        action_low=indexes[0]["action_low"],
        action_high=indexes[0]["action_high"],
        provenance=[index["provenance"] for index in indexes],
        tasks=[_task(index["provenance"]) for index in indexes],
    )


def _task(provenance: dict[str, Any]) -> str:
    """What tells the tasks of datasets apart: the environment with its arguments; the namespace where none is named.

    How it was looked at while data was recorded makes no other task.
    """
    spec = provenance["env_spec"] or {}
    if "id" not in spec:
        return str(provenance["namespace"])
    arguments = {name: value for name, value in (spec.get("kwargs") or {}).items() if name not in PICTURES}
    return json.dumps([spec["id"], arguments], sort_keys=True)


def _part(folder: Path) -> Part:
    return Part(**{name: torch.from_numpy(open_mapped(folder / f"{name}.npy")) for name in ARRAYS})


def _check_spaces(sources: Sequence[Source]) -> None:
    first = sources[0]
    for other in sources[1:]:
        for space in ("observation_space", "action_space"):
            serialized = [json.loads(source.metadata[space]) for source in (first, other)]
            if found := difference(*serialized, bounds=space == "action_space"):
                raise UserError(
                    f"datasets {first.id} and {other.id} do not mix, their {space.replace('_', ' ')}s differ in {found}"
                )
