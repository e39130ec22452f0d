"""Small Minari datasets whose observations say where they come from."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from minari.data_collector.episode_buffer import EpisodeBuffer

from tests.datasets import store

UNBOUNDED = gym.spaces.Box(-np.inf, np.inf, (3,), np.float64)
UNIT = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)

Make = Callable[..., str]


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "datasets"))
    monkeypatch.setenv("DIFFSR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("MINARI_REMOTE", raising=False)


def coded_episode(episode: int, steps: int, *, tag: int = 0) -> dict[str, Any]:
    """Columns in which every number tells dataset, episode and step."""
    frame, step = np.arange(steps + 1.0), np.arange(float(steps))
    return {
        "observations": np.stack([np.full(steps + 1, float(episode)), frame, np.full(steps + 1, float(tag))], axis=1),
        "actions": np.stack([step / 100, np.full(steps, episode / 100)], axis=1).astype(np.float32),
        "rewards": episode * 1000 + step,
        "terminations": (step == steps - 1) & (episode % 2 == 0),
        "truncations": (step == steps - 1) & (episode % 2 == 1),
    }


def _buffers(lengths: Sequence[int], tag: int, change: Callable[[int, dict[str, Any]], None] | None) -> list[Any]:
    buffers = []
    for i, steps in enumerate(lengths):
        columns = coded_episode(i, steps, tag=tag)
        if change is not None:
            change(i, columns)
        buffers.append(EpisodeBuffer(id=i, **columns))
    return buffers


@pytest.fixture
def make() -> Make:
    """Write a dataset; `change(episode, columns)` may spoil its columns first."""

    def write(
        identifier: str = "test/coded-v0",
        lengths: Sequence[int] = (5, 1, 7),
        *,
        tag: int = 0,
        change: Callable[[int, dict[str, Any]], None] | None = None,
        observation_space: gym.Space[Any] = UNBOUNDED,
        action_space: gym.Space[Any] = UNIT,
        **options: Any,
    ) -> str:
        spaces = {"observation_space": observation_space, "action_space": action_space}
        return store(identifier, _buffers(lengths, tag, change), **{**spaces, "algorithm_name": "code", **options})

    return write
