"""Exact ids of datasets on this machine to `Episodes`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from diffsr_hub.data.cache.arrays import open_mapped
from diffsr_hub.data.cache.build import ARRAYS
from diffsr_hub.data.cache.cache import cache_root, cached
from diffsr_hub.data.dataset import Dataset
from diffsr_hub.data.episodes import Episodes
from diffsr_hub.data.formats import open_dataset
from diffsr_hub.data.images import Stack, holds_images
from diffsr_hub.data.part import Part
from diffsr_hub.data.spaces import difference
from diffsr_hub.errors import UserError
from diffsr_hub.files.paths import expanded

PICTURES = {"render_mode", "camera_name", "camera_id", "width", "height"}
"""arguments of environments that say what is shown and nothing else"""


def load(ids: Sequence[str], *, stack: Stack | None = None, cache_dir: Path | None = None) -> Episodes:
    """Open datasets as memory-mapped arrays, reading them into the cache where they are not there yet.

    They are float32, but for images, which stay uint8.

    Args:
        ids: exact ids, with version, of datasets on this machine (see `resolve`).
        stack: how observations that are images are made of frames; None refuses images.
        cache_dir: None for `$DIFFSR_CACHE`, or `diffsr-hub` in the user's cache folder.

    Raises:
        UserError: a dataset is missing, unreadable, malformed or not supported, or their spaces differ.
    """
    if not ids:
        raise UserError("no dataset was named")
    datasets = [open_dataset(identifier) for identifier in ids]
    _check_spaces(datasets)
    if stack is None:
        _check_numbers(datasets[0])
    root = cache_root() if cache_dir is None else expanded(cache_dir)
    entries = [cached(dataset, root) for dataset in datasets]
    indexes = [index for _, index in entries]
    specs = [index["provenance"]["env_spec"] or {} for index in indexes]
    env_ids = {spec["id"] for spec in specs if "id" in spec}
    return Episodes(
        [_part(folder, stack or Stack()) for folder, _ in entries],
        env_id=env_ids.pop() if len(env_ids) == 1 else None,
        action_low=indexes[0]["action_low"],
        action_high=indexes[0]["action_high"],
        provenance=[index["provenance"] for index in indexes],
        tasks=[_task(index["provenance"]) for index in indexes],
        obs_parts=indexes[0]["obs_parts"],
        image_shape=indexes[0].get("image_shape"),
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


def _part(folder: Path, stack: Stack) -> Part:
    return Part(**{name: torch.from_numpy(open_mapped(folder / f"{name}.npy")) for name in ARRAYS}, stack=stack)


def _check_numbers(dataset: Dataset) -> None:
    if holds_images(dataset.spaces.observation):
        raise UserError(
            f"dataset {dataset.id} has observations that are images, of which no encoder can be made yet: "
            "use a dataset with vector observations"
        )


def _check_spaces(datasets: Sequence[Dataset]) -> None:
    first = datasets[0]
    for other in datasets[1:]:
        for kind, one, another in zip(("observation", "action"), first.spaces, other.spaces, strict=True):
            if found := difference(one, another, bounds=kind == "action"):
                raise UserError(f"datasets {first.id} and {other.id} do not mix, their {kind} spaces differ in {found}")
