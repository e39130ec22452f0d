"""What an agent was made of: encoder, offline data, command, settings, versions, hardware."""

import json
from pathlib import Path
from typing import Any

from diffsr_hub.errors import UserError
from diffsr_hub.runs.command import command_line, settings
from diffsr_hub.runs.software import software
from finetune.config import FinetuneConfig
from finetune.learning.offline import OfflineData
from finetune.running.encoder_source import EncoderSource


def command(config: FinetuneConfig) -> str:
    """The command line that repeats a run: every setting that is not the default."""
    return command_line("finetune", config, always=("encoder", "env"), never=("run_dir", "resume", "progress", "arm"))


def sources(encoder: EncoderSource | None, offline: OfflineData | None, file: Path | None) -> dict[str, Any]:
    """Encoder and datasets of a run, as they were loaded when it began: what `file` notes of a resumed one.

    Args:
        encoder: That was loaded; None from scratch, or for a resumed run.
        offline: That was loaded.
        file: The note of a run that goes on from its checkpoint; None for one that starts.

    Returns:
        `encoder` (`source`, `revision` of a repository, `sha256` of its weights; None from scratch) and `datasets`.

    Raises:
        UserError: The datasets are others than when the run began.
    """
    datasets = [] if offline is None else offline.provenance
    if file is None or not file.is_file():
        return {"encoder": None if encoder is None else encoder.record(), "datasets": datasets}
    noted: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    before, now = _contents(noted["datasets"]), _contents(datasets)
    if before != now:
        raise UserError(
            f"{file.parent} was started with other offline data: {before}, not {now}; restore it, or start a new run"
        )
    return noted


def facts(config: FinetuneConfig, made_of: dict[str, Any], seconds: float, device: str) -> dict[str, Any]:
    """What the agent was made of and on, for `training.json` and the card.

    Args:
        config: Of the run.
        made_of: Its `sources`.
        seconds: CPU time of its training.
        device: On which it was.
    """
    return {
        "env": config.env,
        "arm": config.label,
        "mode": config.mode,
        "seed": config.seed,
        "steps": config.total_steps,
        "seconds": round(seconds, 2),
        "device": device,
        "command": command(config),
        **made_of,
        "software": software(),
        "settings": settings(config),
    }


def _contents(datasets: list[dict[str, Any]]) -> str:
    """What the rows of a replay buffer depend on."""
    return ", ".join(f"{dataset['id']} (sha256 {dataset['sha256'][:12]})" for dataset in datasets)
