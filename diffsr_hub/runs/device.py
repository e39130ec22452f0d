"""The one device of a run, decided where it starts."""

import os
import platform

import torch

from diffsr_hub.errors import UserError, on_one_line


def choose_device(name: str) -> torch.device:
    """The device that a user means.

    Args:
        name: cpu, cuda, cuda:1, mps, or auto for the GPU where there is one.

    Raises:
        UserError: There is no such device, or it cannot be used here.
    """
    if name == "auto":
        return _fastest()
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()  # torch.device takes names of devices that are not there
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UserError(
            f"device {name!r} cannot be used here ({on_one_line(error)}); choose cpu, auto, or a GPU such as cuda:0"
        ) from error
    return device


def device_name(device: torch.device) -> str:
    """What a reader compares times by: the model of a GPU, or the kind of device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def hardware(device: torch.device, threads: int) -> str:
    """Device, machine and threads in a few words, for records."""
    return f"{device_name(device)}, {platform.machine()}, {os.cpu_count()} cores, {threads} thread(s)"


def _fastest() -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
