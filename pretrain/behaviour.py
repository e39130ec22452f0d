"""Small behaviour policies that ship with the project, and how one episode of them is rolled out.

Each robot has a few linear policies, `action = clip(weight @ obs + bias)`, stored as readable numbers in
`policies/<robot>.json` together with the returns they reach at several noise levels. `search.py` found them.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

POLICIES = Path(__file__).parent / "policies"


@dataclass(frozen=True)
class LinearPolicy:
    """`action = clip(weight @ obs + bias, low, high)`; weight `[action_dim, obs_dim]`, bias `[action_dim]`."""

    name: str
    weight: NDArray[np.float64]
    bias: NDArray[np.float64]

    def __call__(self, obs: NDArray[np.float64]) -> NDArray[np.float64]:
        """The unclipped action `[action_dim]` for one raw observation `[obs_dim]`."""
        return np.asarray(self.weight @ obs + self.bias)


def robots() -> list[str]:
    """The robots that have bundled policies, such as `hopper`."""
    return sorted(file.stem for file in POLICIES.glob("*.json"))


def describe(robot: str) -> dict[str, Any]:
    """The whole record of a robot: environment id, policies, measured returns, how they were found."""
    record: dict[str, Any] = json.loads((POLICIES / f"{robot}.json").read_text())
    return record


def load_policies(robot: str) -> list[LinearPolicy]:
    """The policies of a robot, best first."""
    return [
        LinearPolicy(entry["name"], np.array(entry["weight"]), np.array(entry["bias"]))
        for entry in describe(robot)["policies"]
    ]


def rollout(
    env: gym.Env[Any, Any],
    policy: LinearPolicy | None,
    noise: float,
    rng: np.random.Generator,
) -> dict[str, NDArray[Any]]:
    """Play one episode with Gaussian action noise and return its columns.

    Args:
        env: An environment with `Box` observations and actions.
        policy: The behaviour policy; `None` acts uniformly at random within the bounds.
        noise: Standard deviation of the action noise, as a fraction of half the action range.
        rng: Source of the reset seed, of the noise and of random actions.

    Returns:
        `observations [T+1, obs_dim]`, `actions [T, action_dim]`, `rewards`, `terminations`, `truncations` `[T]`.
    """
    low, high = env.action_space.low, env.action_space.high  # type: ignore[attr-defined]
    scale = noise * (high - low) / 2
    obs, _ = env.reset(seed=int(rng.integers(2**31)))
    observations, actions, rewards, terminations, truncations = [obs], [], [], [], []
    ended = False
    while not ended:
        if policy is None:
            action = rng.uniform(low, high)
        else:
            action = np.clip(policy(obs) + scale * rng.standard_normal(low.shape), low, high)
        action = action.astype(np.float32)
        obs, reward, terminated, truncated, _ = env.step(action)
        observations.append(obs)
        actions.append(action)
        rewards.append(float(reward))
        terminations.append(bool(terminated))
        truncations.append(bool(truncated))
        ended = terminated or truncated
    return {
        "observations": np.stack(observations),
        "actions": np.stack(actions),
        "rewards": np.array(rewards),
        "terminations": np.array(terminations),
        "truncations": np.array(truncations),
    }
