from typing import Any

import gymnasium as gym
import numpy as np

from diffsr_hub.suites.pixels.repeat import Repeat


class Scripted(gym.Env[int, int]):
    """Counts its steps; pays 1, 2, 3 … and ends after ten. `info` is as scripted."""

    observation_space, action_space = gym.spaces.Discrete(100), gym.spaces.Discrete(2)

    def __init__(self, infos: list[dict[str, Any]]) -> None:
        self.steps, self.infos = 0, infos

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        return self.steps, np.float64(self.steps), self.steps == 10, False, self.infos[self.steps - 1]


def test_rewards_are_summed_and_an_episode_ends_at_its_own_step() -> None:
    env = Repeat(Scripted([{"step": i} for i in range(1, 11)]), 4)
    assert [env.step(0) for _ in range(3)] == [
        (4, 10.0, False, False, {"step": 4}),
        (8, 26.0, False, False, {"step": 8}),
        (10, 19.0, True, False, {"step": 10}),
    ]


def test_a_success_at_any_of_the_steps_counts_and_is_never_made_up() -> None:
    seen = [0.0, 1.0, 0.0, 0.0, 0.0, False, True, 0.0, 0.0, 0.0]
    env = Repeat(Scripted([{"success": value} for value in seen]), 3)
    assert [env.step(0)[4]["success"] for _ in range(3)] == [1.0, 0.0, 1.0]
    assert "success" not in Repeat(Scripted([{}] * 10), 2).step(0)[4]
