"""Environments that are stepped side by side, their episodes cut into transitions for the replay buffer."""

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
from finetune.learning.n_step import NStepQueue
from finetune.learning.replay import Batch


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


class Interaction:
    """Steps environments that are reset by hand, so that no transition crosses an episode.

    Every episode is reset with a seed of its own, made of the run's seed, the environment's number and the episode's.
    The state of the environments is therefore known from the actions since: `load_state_dict` plays them again, which
    works for any deterministic environment.

    Args:
        make: Makes one environment.
        num_envs: How many.
        seed: Of the run.
        n_step: Rewards in a return.
        discount: γ.
    """

    def __init__(
        self, make: Callable[[], gym.Env[Any, Any]], num_envs: int, *, seed: int, n_step: int, discount: float
    ) -> None:
        self.envs = SyncVectorEnv([lambda: Silent(make())] * num_envs, autoreset_mode=AutoresetMode.DISABLED)
        self.seed = seed
        self.queues = [NStepQueue(n_step, discount) for _ in range(num_envs)]
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

    def step(self, action: Tensor, env_action: NDArray[Any]) -> tuple[list[Batch], list[Finished]]:
        """Advance every environment by one step from what `observe` gave.

        Args:
            action: What the replay buffer shall know, `[num_envs, action_dim]`, in [-1, 1].
            env_action: The same in the units of the environment.

        Returns:
            Rows for the replay buffer, and the episodes that ended.

        Raises:
            UserError: An environment raised, or gave an answer that cannot be used; nothing of this step is kept.
        """
        answer = self.envs.step(env_action)
        next_obs, reward, terminated, truncated = _float(answer[0]), _float(answer[1]), answer[2], answer[3]
        steps = Transitions(self.obs, action, reward, next_obs, torch.from_numpy(np.asarray(terminated, bool)))
        ended = terminated | truncated
        rows, finished = [], []
        for i, queue in enumerate(self.queues):
            self.actions[i].append(env_action[i])
            self.returns[i] += float(answer[1][i])
            batch = queue.push(Transitions(*(column[i] for column in steps)), bool(ended[i]))
            rows += [batch] if batch is not None else []
            if ended[i]:
                finished.append(Finished(self.returns[i], len(self.actions[i])))
                self._next_episode(i)
        self.obs = next_obs
        return rows, finished

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
            "pending": [[list(step) for step in queue.pending] for queue in self.queues],
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
        for i, queue in enumerate(self.queues):
            queue.pending = [Transitions(*columns) for columns in state["pending"][i]]
            if not self.ended[i] and not self._act_again(i, state["actions"][i].numpy(), state["obs"][i]):
                astray.append(i)
                queue.pending = []
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
