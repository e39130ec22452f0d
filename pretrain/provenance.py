"""What an encoder was made of: data, versions, command, hardware."""

import os
import platform
from typing import Any

import torch

from diffsr_hub.data import Episodes, Resolution, software
from diffsr_hub.runs.command import command_line
from pretrain.config import PretrainConfig


def command(config: PretrainConfig) -> str:
    """The command line that repeats a run: every setting that is not the default."""
    return command_line("pretrain", config, always=("dataset",), never=("run_dir", "resume", "progress"))


def device_name(device: torch.device) -> str:
    """What a reader compares times by: the model of a GPU, or the kind of device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def facts(
    config: PretrainConfig, episodes: Episodes, resolution: Resolution, seconds: float, device: str
) -> dict[str, Any]:
    """What the encoder was made of and on, for `dataset.json` and the card."""
    return {
        "datasets": episodes.provenance,
        "source": resolution.source,
        "env_id": episodes.env_id,
        "action_low": episodes.action_low,
        "action_high": episodes.action_high,
        "software": software(),
        "training": {
            "command": command(config),
            "max_steps": config.max_steps,
            "batch_size": config.batch_size,
            "seed": config.seed,
            "transitions": episodes.num_transitions,
            "episodes": episodes.num_episodes,
            "seconds": round(seconds, 1),
            "device": f"{config.devices * config.num_nodes} x {device}, {platform.machine()}, "
            f"{os.cpu_count()} cores, {config.threads} thread(s) per process",
        },
    }
