"""What an encoder was made of: data, versions, command, hardware."""

import os
import platform
from dataclasses import replace
from typing import Any, NamedTuple

from diffsr_hub.data import Episodes, Resolution, software
from diffsr_hub.runs.command import command_line
from pretrain.config import PretrainConfig


class Trained(NamedTuple):
    """What a training has done."""

    steps: int
    """updates, over all starts"""
    seconds: float
    """of the last start"""
    device: str
    """see `runs.device.device_name`"""


def command(config: PretrainConfig) -> str:
    """The command line that repeats a run: every setting that is not the default."""
    return command_line("pretrain", config, always=("dataset",), never=("run_dir", "resume", "progress"))


def facts(
    config: PretrainConfig, episodes: Episodes, resolution: Resolution, trained: Trained, history: dict[str, Any]
) -> dict[str, Any]:
    """What the encoder was made of and on, for `dataset.json` and the card.

    Args:
        config: Of the run as it was last started.
        episodes: The data.
        resolution: Where they came from.
        trained: What was done.
        history: How the run was started, and what was changed when it was resumed; empty where nothing was.
    """
    return {
        "datasets": episodes.provenance,
        "source": resolution.source,
        "env_id": episodes.env_id,
        "action_low": episodes.action_low,
        "action_high": episodes.action_high,
        "software": software(),
        "training": {
            "command": command(replace(config, **history["started"]) if history else config),
            **({"changes": history["changes"]} if history else {}),
            "max_steps": trained.steps,
            "batch_size": config.batch_size,
            "seed": config.seed,
            "transitions": episodes.num_transitions,
            "episodes": episodes.num_episodes,
            "seconds": round(trained.seconds, 1),
            "device": f"{config.devices * config.num_nodes} x {trained.device}, {platform.machine()}, "
            f"{os.cpu_count()} cores, {config.threads} thread(s) per process",
        },
    }
