"""Environments whose every number is known, and settings with which a run takes a second."""

from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from finetune.agent.agent import Agent
from finetune.config import FinetuneConfig

Step = tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]
ENCODER = {"feature_dim": 6, "psi_hidden": [8], "nu_hidden": [8, 8], "num_levels": 5, "num_frequencies": 4}
TINY: dict[str, Any] = {
    **{"batch_size": 16, "actor_hidden": (8,), "critic_frequencies": 4, "learning_starts": 20, "total_steps": 60},
    **{"eval_every": 1_000_000, "eval_episodes": 1, "checkpoint_every": 1_000_000, "log_every": 1_000_000},
    **{"video_steps": 0, "progress": False, "download": False},
}


def settings(**changes: Any) -> FinetuneConfig:
    return FinetuneConfig(**{**TINY, **changes})


def flags(**changes: Any) -> list[str]:
    """The same as a command line."""
    pairs = {**TINY, **changes}.items()
    return [
        word for name, value in pairs for word in (f"--{name}", str(list(value) if type(value) is tuple else value))
    ]


def small_agent(obs_dim: int = 3, action_dim: int = 2, bound: float = 1.0, **changes: Any) -> Agent:
    sizes = {"obs_dim": obs_dim, "action_dim": action_dim, **ENCODER, **changes.pop("encoder", {})}
    small = {"actor_hidden": [8], "critic_frequencies": 4, **changes}
    return Agent(sizes, "test/Toy-v0", [-bound] * action_dim, [bound] * action_dim, **small)


def box(low: Any, high: Any) -> Box:
    return Box(np.asarray(low, np.float32), np.asarray(high, np.float32))


class OneStep(gym.Env[Any, Any]):
    """One action in [-0.4, 0.4], worth 1 at 0.3 s and less elsewhere; then the episode is over."""

    observation_space, action_space = box([-1], [1]), box([-0.4], [0.4])

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.state = self.np_random.uniform(-1, 1, 1).astype(np.float32)
        return self.state.copy(), {}

    def step(self, action: NDArray[Any]) -> Step:
        assert self.action_space.contains(action)
        best = 0.3 * self.state[0]
        return self.state.copy(), 1 - float((action[0] - best) / 0.4) ** 2, True, False, {}


class LQR(gym.Env[Any, Any]):
    """s' = A s + B a, reward −(sᵀ Q s + aᵀ R a); optimal actions stay inside the bounds."""

    A, B = np.array([[0.95, 0.0], [0.1, 0.95]]), np.array([[0.4], [0.2]])
    Q, R = np.eye(2), np.array([[0.1]])
    observation_space, action_space = box([-10, -10], [10, 10]), box([-3], [3])

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.state = self.np_random.uniform(-1, 1, 2)
        return self.state.astype(np.float32), {}

    def step(self, action: NDArray[Any]) -> Step:
        cost = self.state @ self.Q @ self.state + action @ self.R @ action
        self.state = np.clip(self.A @ self.state + self.B @ action, -10, 10)
        return self.state.astype(np.float32), -float(cost), False, False, {}


class Counting(gym.Env[Any, Any]):
    """Observes (number of the environment, episode, time); pays time; ends at lengths of its own."""

    made: ClassVar[int] = 0
    observation_space, action_space = box([0, 0, 0], [1e6, 1e6, 1e6]), box([-1], [1])

    def __init__(self) -> None:
        self.number, self.episode = Counting.made, -1
        Counting.made += 1

    @staticmethod
    def length(number: int, episode: int) -> int:
        return 2 + (3 * number + episode) % 4

    @staticmethod
    def terminates(number: int, episode: int) -> bool:
        return (number + episode) % 2 == 0

    def _obs(self) -> NDArray[np.float32]:
        return np.array([self.number, self.episode, self.time], np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.episode, self.time = self.episode + 1, 0
        return self._obs(), {}

    def step(self, action: NDArray[Any]) -> Step:
        self.time += 1
        end = self.time >= self.length(self.number, self.episode)
        terminated = self.terminates(self.number, self.episode)
        return self._obs(), float(self.time), end and terminated, end and not terminated, {}


class Faulty(gym.Env[Any, Any]):
    """A random walk pulled to 0, that fails where it is told to; its episodes have 10 steps."""

    fault: ClassVar[str] = ""
    """raise, nan_obs, nan_reward, raise_in_reset, nan_in_reset, noise, endless"""
    at: ClassVar[int] = 0
    """number of the call of `step`, over all environments, from which it fails"""
    calls: ClassVar[int] = 0
    observation_space, action_space = box([-9, -9, -9], [9, 9, 9]), box([-1, -1], [1, 1])

    @classmethod
    def fails(cls, fault: str = "", at: int = 0) -> None:
        cls.fault, cls.at, cls.calls = fault, at, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        if self.fault == "raise_in_reset" and Faulty.calls >= self.at:
            raise OSError("the simulator is\nnot there")
        self.state, self.time = self.np_random.standard_normal(3).astype(np.float32), 0
        if self.fault == "nan_in_reset" and Faulty.calls >= self.at:
            self.state[1] = np.nan
        return self.state.copy(), {}

    def step(self, action: NDArray[Any]) -> Step:
        Faulty.calls += 1
        failing, self.time = Faulty.calls > self.at, self.time + 1
        over = self.time >= 10 and self.fault != "endless"
        if failing and self.fault == "raise":
            raise RuntimeError("the simulation\nexploded")
        push = np.array([action[0], action[1], action[0]], np.float32)
        self.state = (0.8 * self.state + 0.3 * push).astype(np.float32)
        obs, reward = self.state.copy(), 1 - float(np.square(self.state).sum())
        if failing and self.fault == "nan_obs":
            obs[0] = np.nan
        if self.fault == "noise":
            obs += np.random.default_rng().standard_normal(3).astype(np.float32)
        return obs, np.nan if failing and self.fault == "nan_reward" else reward, False, over, {}


class Picky(Faulty):
    """Says whether it is a success; its episodes have 4 to 9 steps."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        obs, info = super().reset(seed=seed)
        self.limit = int(self.np_random.integers(4, 10))
        return obs, info

    def step(self, action: NDArray[Any]) -> Step:
        obs, reward, *_ = super().step(action)
        return obs, reward, self.time >= self.limit, False, {"success": self.time == 3}


class Discrete(Faulty):
    action_space: Any = gym.spaces.Discrete(3)  # type: ignore[misc]


class Unbounded(Faulty):
    action_space = box([-1, -1], [1, np.inf])


class Matrix(Faulty):
    action_space = box([[-1, -1]] * 2, [[1, 1]] * 2)


class Whole(Faulty):
    action_space = Box(-2, 2, (2,), np.int64)


class Dictionary(Faulty):
    observation_space: Any = gym.spaces.Dict({"b": box([-9], [9]), "a": gym.spaces.Discrete(2)})  # type: ignore[misc]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return {"b": np.array([5], np.float32), "a": np.int64(1)}, {}


class Unsorted(Faulty):
    observation_space: Any = gym.spaces.Dict(velocity=box([-9], [9]), angle=box([-9], [9]))  # type: ignore[misc]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return {"velocity": np.array([5], np.float32), "angle": np.array([1], np.float32)}, {}

    def step(self, action: NDArray[Any]) -> Any:
        obs = {"velocity": np.array([6], np.float32), "angle": np.array([2], np.float32)}
        return obs, 0.0, False, False, {}


class Text(Faulty):
    observation_space: Any = gym.spaces.Text(5)  # type: ignore[misc]


class Unmakeable(Faulty):
    def __init__(self) -> None:
        raise KeyError("licence")


_FLAWED = (Faulty, Picky, Discrete, Unbounded, Matrix, Whole, Dictionary, Unsorted, Text, Unmakeable)
for kind in (OneStep, LQR, Counting, *_FLAWED):
    if f"test/{kind.__name__}-v0" not in gym.registry:
        steps = 20 if kind is LQR else None
        gym.register(f"test/{kind.__name__}-v0", f"{__name__}:{kind.__name__}", max_episode_steps=steps)
