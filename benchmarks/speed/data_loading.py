"""How fast a Minari dataset becomes training data: `iterate_episodes` against our first and our cached load.

Everything is measured in one run, in turns, so that a busy machine slows all of them alike; compare the ratios.

    python benchmarks/speed/data_loading.py --steps 1000000 --repeats 5
"""

import os
import shutil
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import gymnasium as gym
import minari
import numpy as np
from minari.data_collector.episode_buffer import EpisodeBuffer
from numpy.typing import NDArray

from benchmarks.program import start
from benchmarks.speed.report import report
from diffsr_hub.data import load

IDENTIFIER = "benchmark/hopper-v0"
OBS_DIM, ACTION_DIM, STEPS_PER_EPISODE = 11, 3, 770  # as in mujoco/hopper/medium-v0: 1,327 episodes of 753 on average
TARGETS = {"first load": 3.0, "cached load": 20.0}


def write_dataset(steps: int) -> None:
    rng, buffers = np.random.default_rng(0), list[EpisodeBuffer]()
    while steps > 0:
        length = min(steps, int(rng.integers(STEPS_PER_EPISODE // 2, STEPS_PER_EPISODE * 3 // 2)))
        steps -= length
        buffers.append(
            EpisodeBuffer(
                id=len(buffers),
                observations=rng.standard_normal((length + 1, OBS_DIM)),
                actions=rng.uniform(-1, 1, (length, ACTION_DIM)).astype(np.float32),
                rewards=rng.standard_normal(length),
                terminations=np.arange(length) == length - 1,
                truncations=np.zeros(length, bool),
            )
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        minari.create_dataset_from_buffers(
            IDENTIFIER,
            buffers,
            observation_space=gym.spaces.Box(-np.inf, np.inf, (OBS_DIM,), np.float64),
            action_space=gym.spaces.Box(-1.0, 1.0, (ACTION_DIM,), np.float32),
        )


def with_minari() -> list[NDArray[Any]]:
    """What a user writes: flat float32 (s, a, r, s', d)."""
    columns: list[list[NDArray[Any]]] = [[], [], [], [], []]
    for episode in minari.load_dataset(IDENTIFIER).iterate_episodes():
        observations = episode.observations.astype(np.float32)
        rewards = episode.rewards.astype(np.float32)
        values = (observations[:-1], episode.actions, rewards, observations[1:], episode.terminations)
        for column, value in zip(columns, values, strict=True):
            column.append(value)
    return [np.concatenate(column) for column in columns]


def measure(repeats: int, cache: Path) -> dict[str, list[float]]:
    """Seconds of each way, `repeats` times in turns."""
    ways: dict[str, Callable[[], object]] = {
        "iterate_episodes": with_minari,
        "first load": lambda: load([IDENTIFIER], cache_dir=cache),
        "cached load": lambda: load([IDENTIFIER], cache_dir=cache),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        shutil.rmtree(cache, ignore_errors=True)
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def main(steps: int = 1_000_000, repeats: int = 5) -> None:
    """Print the table.

    Args:
        steps: Of the dataset.
        repeats: Turns that each way has; medians are compared.
    """
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MINARI_DATASETS_PATH"] = folder
        write_dataset(steps)
        measure(1, Path(folder) / "cache")  # imports and page cache
        seconds = measure(repeats, Path(folder) / "cache")
    slowest, rows = statistics.median(seconds["iterate_episodes"]), []
    for name, measured in seconds.items():
        median = statistics.median(measured)
        target = f"{TARGETS[name]:.0f} ×" if name in TARGETS else ""
        rows.append([name, f"{median:.3f}", f"{slowest / median:.1f} ×", target])
    report(["way", "seconds", "ratio", "target"], rows)


if __name__ == "__main__":
    start(main)
