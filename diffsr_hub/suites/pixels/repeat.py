"""An environment in which every action acts for several steps."""

from typing import Any

import gymnasium as gym


class Repeat(gym.Wrapper[Any, Any, Any, Any]):
    """Repeats each action until it has acted some times, or its episode ends.

    The reward is the sum of the rewards. `info` is that of the last step, but `info["success"]`, where there is one, is
    whether any of the steps succeeded.

    Args:
        env: The environment.
        times: How often, at least once.
    """

    def __init__(self, env: gym.Env[Any, Any], times: int) -> None:
        super().__init__(env)
        self._times = times

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Act some times."""
        total, successes = 0.0, []
        for _ in range(self._times):
            obs, reward, terminated, truncated, info = self.env.step(action)
            total += float(reward)
            successes += [float(info["success"])] if "success" in info else []
            if terminated or truncated:
                break
        return obs, total, terminated, truncated, info | ({"success": max(successes)} if successes else {})
