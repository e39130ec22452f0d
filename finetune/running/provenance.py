"""What an agent was made of: encoder, offline data, command, settings, versions, hardware."""

import hashlib
import json
import os
import platform
from pathlib import Path
from typing import Any

from diffsr_hub.data import load, resolve, software
from diffsr_hub.errors import UserError
from diffsr_hub.files.paths import folder_or_name
from diffsr_hub.runs.command import command_line, settings
from diffsr_hub.saved.download import find
from finetune.config import SCRATCH, FinetuneConfig


def command(config: FinetuneConfig) -> str:
    """The command line that repeats a run: every setting that is not the default."""
    return command_line("finetune", config, always=("encoder", "env"), never=("run_dir", "resume", "progress", "arm"))


def sources(config: FinetuneConfig, file: Path) -> dict[str, Any]:
    """Encoder and datasets of a run, as they were when it began: what `file` notes of a resumed one.

    Args:
        config: Of the run.
        file: A JSON file of the run folder.

    Returns:
        `encoder` (`source`, `revision` of a repository, `sha256` of its weights; None from scratch) and `datasets`.

    Raises:
        UserError: The encoder or a dataset cannot be had, or the datasets are others than when the run began.
    """
    datasets = _datasets(config)
    if not file.is_file():
        return {"encoder": _encoder(config.encoder, config.encoder_revision or None), "datasets": datasets}
    noted: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    before, now = _contents(noted["datasets"]), _contents(datasets)
    if before != now:
        raise UserError(
            f"{file.parent} was started with other offline data: {before}, not {now}; restore it, or start a new run"
        )
    return noted


def facts(config: FinetuneConfig, made_of: dict[str, Any], seconds: float) -> dict[str, Any]:
    """What the agent was made of and on, for `training.json` and the card.

    Args:
        config: Of the run.
        made_of: Its `sources`.
        seconds: CPU time of its training.
    """
    return {
        "env": config.env,
        "arm": config.label,
        "mode": config.mode,
        "seed": config.seed,
        "steps": config.total_steps,
        "seconds": round(seconds, 2),
        "device": f"cpu, {platform.machine()}, {os.cpu_count()} cores, {config.threads} thread(s)",
        "command": command(config),
        **made_of,
        "software": software(),
        "settings": settings(config),
    }


def _encoder(source: str, revision: str | None) -> dict[str, Any] | None:
    if source == SCRATCH:
        return None
    config, weights = find(source, revision=revision, local_files_only=False, token=None)
    in_cache = config.parent.parent.name == "snapshots" and not os.path.isdir(folder_or_name(source))
    return {
        "source": source,
        "revision": config.parent.name if in_cache else None,
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
    }


def _contents(datasets: list[dict[str, Any]]) -> str:
    """What the rows of a replay buffer depend on."""
    return ", ".join(f"{dataset['id']} (sha256 {dataset['sha256'][:12]})" for dataset in datasets)


def _datasets(config: FinetuneConfig) -> list[dict[str, Any]]:
    if not config.datasets:
        return []
    # What training itself reports while it loads them is not said twice.
    return load(resolve(config.datasets, download=config.download, say=lambda _: None).ids).provenance
