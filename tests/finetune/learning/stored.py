"""Minari datasets of random actions in an environment, written here and now."""

from typing import Any

import gymnasium as gym
import numpy as np
from minari.data_collector.episode_buffer import EpisodeBuffer

from tests.datasets import store


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
        buffers.append(EpisodeBuffer(id=i, observations=_stacked(observations), **arrays))
    return store(identifier, buffers, env=env_id)


def _stacked(observations: list[Any]) -> Any:
    """As Minari's buffers have them; the keys of a Dict one by one."""
    if isinstance(observations[0], dict):
        return {key: np.stack([obs[key] for obs in observations]) for key in observations[0]}
    return np.stack(observations)
