"""Environments that are stepped side by side, episode after episode."""

from collections.abc import Callable
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from numpy.typing import NDArray
from torch import Tensor

from diffsr_hub.transitions import Transitions
from finetune.acting.answers import SEEDS


class Finished(NamedTuple):
    """An episode of training that ended."""

    episode_return: float
    episode_length: int


class Silent(gym.Wrapper[Any, Any, Any, Any]):
    """An environment without infos, which nobody reads here: a vector of environments joins them, and not all join."""

    def reset(self, **arguments: Any) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        return self.env.reset(**arguments)[0], {}

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Go one step."""
        obs, reward, terminated, truncated, _ = self.env.step(action)
        return obs, reward, terminated, truncated, {}


class Stepped(NamedTuple):
    """One step of every environment."""

    steps: Transitions
    """`[num_envs, …]`, actions in [-1, 1]"""
    ended: Tensor
    """`[num_envs]`, bool: whether the episode ended with it, by termination or truncation"""
    finished: list[Finished]
    """the episodes that did"""


class Interaction:
    """Steps environments that are reset by hand, so that no transition crosses an episode.

    Every episode is reset with a seed of its own, made of the run's seed, the environment's number and the episode's.
    The state of the environments is therefore known from the actions since: `load_state_dict` plays them again, which
    works for any deterministic environment.

    Args:
        make: Makes one environment.
        num_envs: How many.
        seed: Of the run.
    """

    def __init__(self, make: Callable[[], gym.Env[Any, Any]], num_envs: int, *, seed: int) -> None:
        self.envs = SyncVectorEnv([lambda: Silent(make())] * num_envs, autoreset_mode=AutoresetMode.DISABLED)
        self.seed = seed
        self.episode = [0] * num_envs
        self.actions: list[list[NDArray[Any]]] = [[] for _ in range(num_envs)]
        self.returns = [0.0] * num_envs
        self.ended = np.ones(num_envs, dtype=bool)
        self.obs = torch.zeros(self.envs.observation_space.shape or ())
        self.observe()

    def observe(self) -> Tensor:
        """Raw observations, `[num_envs, obs_dim]`; where an episode has ended, the first one of the next.

        Raises:
            UserError: An environment raised, or gave an answer that cannot be used.
        """
        if self.ended.any():
            self._reset()
        return self.obs

    def step(self, action: Tensor, env_action: NDArray[Any]) -> Stepped:
        """Advance every environment by one step from what `observe` gave.

        Args:
            action: What the replay buffer shall know, `[num_envs, action_dim]`, in [-1, 1].
            env_action: The same in the units of the environment.

        Raises:
            UserError: An environment raised, or gave an answer that cannot be used; nothing of this step is kept.
        """
        answer = self.envs.step(env_action)
        next_obs, reward, terminated, truncated = _float(answer[0]), _float(answer[1]), answer[2], answer[3]
        steps = Transitions(self.obs, action, reward, next_obs, torch.from_numpy(np.asarray(terminated, bool)))
        ended = terminated | truncated
        finished = []
        for i, is_over in enumerate(ended):
            self.actions[i].append(env_action[i])
            self.returns[i] += float(answer[1][i])
            if is_over:
                finished.append(Finished(self.returns[i], len(self.actions[i])))
                self._next_episode(i)
        self.obs = next_obs
        return Stepped(steps, torch.from_numpy(np.asarray(ended, bool)), finished)

    def close(self) -> None:
        """Release the environments."""
        self.envs.close()

    def state_dict(self) -> dict[str, Any]:
        """What leads back to here."""
        return {
            "episode": self.episode,
            "ended": self.ended.tolist(),
            "obs": self.obs,
            "actions": [torch.from_numpy(np.array(actions)) for actions in self.actions],
        }

    def load_state_dict(self, state: dict[str, Any]) -> list[int]:
        """Go back to a `state_dict`: reset every environment as its episode began, and act as it did.

        Returns:
            The environments that do not come to where they were, because they are not deterministic; they begin a
            new episode.

        Raises:
            UserError: An environment raised.
        """
        self.episode, self.ended = list(state["episode"]), ~np.array(state["ended"])
        self.observe()
        self.ended = np.array(state["ended"])
        astray = []
        for i, actions in enumerate(state["actions"]):
            if not self.ended[i] and not self._act_again(i, actions.numpy(), state["obs"][i]):
                astray.append(i)
                self._next_episode(i)
        return astray

    def _act_again(self, i: int, actions: NDArray[Any], goal: Tensor) -> bool:
        """Whether the actions since the episode began lead environment `i` to an observation, `[obs_dim]`, again."""
        for action in actions:
            next_obs, reward, terminated, truncated, _ = self.envs.envs[i].step(action)
            if terminated or truncated:
                return False
            self.obs[i] = _float(next_obs)
            self.actions[i].append(action)
            self.returns[i] += float(reward)
        return torch.equal(self.obs[i], goal)

    def _next_episode(self, i: int) -> None:
        """Note that the episode of environment `i` is over."""
        self.ended[i] = True
        self.episode[i] += 1
        self.actions[i], self.returns[i] = [], 0.0

    def _reset(self) -> None:
        """Begin the next episode where one has ended."""
        seeds: list[int | None] = [
            int(np.random.SeedSequence([self.seed, i, number]).generate_state(1)[0]) % SEEDS
            for i, number in enumerate(self.episode)
        ]
        answer = self.envs.reset(seed=seeds, options={"reset_mask": self.ended})
        first = _float(answer[0])[self.ended]
        self.obs = self.obs.clone()
        self.obs[self.ended] = first
        self.ended = np.zeros_like(self.ended)


def _float(array: Any) -> Tensor:
    return torch.from_numpy(np.array(array, dtype=np.float32))
