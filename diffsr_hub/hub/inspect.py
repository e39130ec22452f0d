"""What is published, and what is inside, from metadata alone: weights are never downloaded.

All texts come from strangers: what is returned is one printable line each.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.hf_api import ModelInfo

from diffsr_hub.errors import UserError, plain
from diffsr_hub.files.paths import folder_or_name
from diffsr_hub.files.strict_json import MAX_JSON_BYTES, read_json
from diffsr_hub.saved.download import check_cache, check_no_revision, check_not_a_run, check_not_beside_folders
from diffsr_hub.saved.file_names import CONFIG, DATASET, DIAGNOSTICS, RESULTS, TRAINING
from diffsr_hub.saved.hub_errors import one_line
from diffsr_hub.saved.kinds import Kind, kind_of
from diffsr_hub.saved.model_folder import read_config

TAG = "diffsr"
"""by which the Hub finds our models; every card has it"""
_SHOWN: dict[str, dict[str, tuple[str, ...]]] = {
    DATASET: {"command": ("training", "command"), "updates": ("training", "max_steps")},
    TRAINING: {"command": ("command",), "steps": ("steps",), "encoder": ("encoder", "source")},
    RESULTS: {
        "mean return": ("mean_reward",),
        "standard deviation": ("std_reward",),
        "episodes": ("n_eval_episodes",),
    },
    DIAGNOSTICS: {
        "R² of the reward": ("probes", "reward", "psi"),
        "R² of the change": ("probes", "change", "psi"),
        "R² of the return": ("probes", "return", "psi"),
        "effective rank": ("spectrum", "psi", "effective_rank"),
    },
}
"""file → what is shown of it, and where that is"""
_EVERY_CARDS_TAGS = {TAG, "diffsr-hub", "reinforcement-learning", "deep-reinforcement-learning", "diffusion"}
_EVERY_CARDS_TAGS |= {"representation-learning", "minari"}


class Listed(NamedTuple):
    """One repository of a list."""

    name: str
    updated: str
    visibility: str
    about: str
    """tags that not every card has, such as the environment"""


def list_models(author: str | None = None, limit: int = 100) -> list[Listed]:
    """The models of ours on the Hub, those that were changed last first.

    Args:
        author: User or organisation; None for all.
        limit: At most this many.

    Raises:
        UserError: The limit is not positive, or the Hub refuses or is not reached.
    """
    if limit < 1:
        raise UserError(f"--limit must be at least 1, got {limit}")
    with one_line("the Hub did not give its list"):
        found = list(HfApi().list_models(author=author, filter=TAG, sort="last_modified", limit=limit, full=True))
    return [
        Listed(
            plain(model.id),
            f"{model.last_modified:%Y-%m-%d}" if model.last_modified else "",
            "private" if model.private else "public",
            plain(", ".join(tag for tag in model.tags or [] if tag not in _EVERY_CARDS_TAGS and ":" not in tag)),
        )
        for model in found
    ]


def describe(source: str, revision: str | None = None) -> dict[str, str]:
    """What a folder or a repository holds, as names and values to print.

    Raises:
        UserError: There is none, or its configuration is not that of a model of ours.
    """
    source = str(folder_or_name(source))
    if os.path.isdir(source):
        check_no_revision(source, revision)
        check_not_a_run(source)
        folder = Path(source)
        sizes = {file.name: file.stat().st_size for file in sorted(folder.iterdir()) if file.is_file()}
        return {"folder": plain(source)} | _contents(folder, sizes)
    check_not_beside_folders(source, revision)
    check_cache()
    with one_line(f"{source} is not a folder, and the Hub did not describe it"):
        api = HfApi()
        info = api.model_info(source, revision=revision, files_metadata=True)
        versions = ", ".join(ref.name for ref in api.list_repo_refs(source).tags)
        sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
        folder = _download_small(source, info, sizes)
    return _about_repository(info, versions) | _contents(folder, sizes)


def _download_small(repository: str, info: ModelInfo, sizes: Mapping[str, int]) -> Path:
    if CONFIG not in sizes:
        raise UserError(f"{repository} on the Hub has no {CONFIG}: it is not a model of diffsr-hub")
    if sizes[CONFIG] > MAX_JSON_BYTES:
        raise UserError(f"{repository}: {CONFIG} is larger than {MAX_JSON_BYTES:,} bytes")
    for name in _SHOWN:
        if name in sizes and sizes[name] <= MAX_JSON_BYTES:
            hf_hub_download(repository, name, revision=info.sha)
    return Path(hf_hub_download(repository, CONFIG, revision=info.sha)).parent


def _about_repository(info: ModelInfo, versions: str) -> dict[str, str]:
    about = {"repository": info.id, "commit": info.sha, "visibility": "private" if info.private else "public"}
    about |= {"updated": f"{info.last_modified:%Y-%m-%d}" if info.last_modified else "", "versions": versions}
    return {name: plain(value) for name, value in about.items() if value}


def _contents(folder: Path, sizes: Mapping[str, int]) -> dict[str, str]:
    kind = kind_of(folder / CONFIG)
    arguments = read_config(folder / CONFIG, kind.name)
    encoder = _dig(arguments, "encoder") or arguments
    facts = {
        "model": kind.name,
        "environment": plain(_dig(arguments, "env_id") or ""),
        "sizes": plain(", ".join(f"{name} {_dig(encoder, name)}" for name in ("obs_dim", "action_dim", "feature_dim"))),
        "parameters": f"{_count(kind, arguments):,}",
    }
    for name in _SHOWN:
        facts |= _facts(folder / name)
    facts["files"] = plain(", ".join(f"{name} ({size:,} bytes)" for name, size in sizes.items()))
    return {name: value for name, value in facts.items() if value}


def _facts(file: Path) -> dict[str, str]:
    """What is shown of a file, which is forgotten before the next one is read."""
    content = _read(file)
    data = _dig(content, "datasets")
    ids = [str(_dig(entry, "id")) for entry in data] if isinstance(data, list) else []
    found = {"data": ", ".join(ids)} | {name: _dig(content, *keys) for name, keys in _SHOWN[file.name].items()}
    shown = {name: f"{value:.4g}" if isinstance(value, float) else value for name, value in found.items()}
    return {name: plain(value) for name, value in shown.items() if value not in (None, "")}


def _count(kind: Kind, arguments: dict[str, Any]) -> int:
    """Parameters of a model of these sizes, of which nothing is allocated."""
    try:
        with torch.device("meta"):
            return sum(parameter.numel() for parameter in kind.load_class()(**arguments).parameters())
    except TypeError as error:
        raise UserError(f"{CONFIG} does not describe a {kind.name}: {plain(error)}") from error


def _read(file: Path) -> Any:
    """A JSON file, as far as it is there and can be read."""
    try:
        return read_json(file)
    except UserError:
        return None


def _dig(content: Any, *keys: str) -> Any:
    for key in keys:
        content = content.get(key) if isinstance(content, dict) else None
    return content
