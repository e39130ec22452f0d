"""Fair timing on a noisy machine: the things compared take turns, and medians are compared."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping

import torch


def take_turns(candidates: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median CPU seconds of each candidate.

    Args:
        candidates: What is timed, by name.
        rounds: How often each has its turn; one more round warms up.
    """
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(rounds + 1):
        for name, call in candidates.items():
            start = time.thread_time()
            call()
            if turn > 0:
                seconds[name].append(time.thread_time() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def machine() -> str:
    """One line that goes beside every table."""
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} torch thread(s), "
        f"torch {torch.__version__}, python {platform.python_version()}"
    )
