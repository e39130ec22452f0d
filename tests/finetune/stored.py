"""Minari datasets of random actions in an environment, written here and now."""

import warnings
from pathlib import Path
from typing import Any

import gymnasium as gym
import minari
import numpy as np
import pytest
from minari.data_collector.episode_buffer import EpisodeBuffer


def isolate(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Datasets, cache and runs in a folder, and no network; also for the processes that a test starts."""
    patch.chdir(folder)
    patch.setenv("MINARI_DATASETS_PATH", str(folder / "datasets"))
    patch.setenv("DIFFSR_CACHE", str(folder / "cache"))
    patch.setenv("HF_HUB_OFFLINE", "1")
    patch.setenv("OMP_NUM_THREADS", "1")
    patch.delenv("MINARI_REMOTE", raising=False)


def write(identifier: str, env_id: str, *, episodes: int = 5, steps: int = 40, **arguments: Any) -> str:
    """Episodes of at most so many steps."""
    env, buffers = gym.make(env_id, **arguments), []
    env.action_space.seed(0)
    for i in range(episodes):
        observations, columns, over = [env.reset(seed=i)[0]], [], False
        while not over:
            action = env.action_space.sample()
            obs, reward, terminated, truncated, _ = env.step(action)
            truncated = truncated or len(columns) == steps - 1
            observations.append(obs)
            columns.append((action, float(reward), bool(terminated), bool(truncated)))
            over = terminated or truncated
        names = ("actions", "rewards", "terminations", "truncations")
        arrays = {name: np.array(column) for name, column in zip(names, zip(*columns, strict=True), strict=True)}
        buffers.append(EpisodeBuffer(id=i, observations=np.stack(observations), **arrays))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about an environment for evaluation
        minari.create_dataset_from_buffers(
            identifier,
            buffers,
            env=env_id,
            algorithm_name="uniform",
            author="a",
            author_email="e",
            code_permalink="c",
            description="d",
        )
    return identifier
