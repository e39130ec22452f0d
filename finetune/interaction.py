"""Environments that are stepped side by side, their episodes cut into transitions for the replay buffer."""

from collections.abc import Callable
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from numpy.typing import NDArray
from torch import Tensor

from diffsr_hub.errors import UserError
from diffsr_hub.transitions import Transitions
from finetune.n_step import NStepQueue
from finetune.replay import Batch


class Finished(NamedTuple):
    """An episode of training that ended."""

    episode_return: float
    episode_length: int


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
        self.envs = SyncVectorEnv([make] * num_envs, autoreset_mode=AutoresetMode.DISABLED)
        self.seed = seed
        self.queues = [NStepQueue(n_step, discount) for _ in range(num_envs)]
        self.episode = [0] * num_envs
        self.actions: list[list[NDArray[Any]]] = [[] for _ in range(num_envs)]
        self.returns = [0.0] * num_envs
        self.obs = torch.zeros(0)
        self._reset(np.ones(num_envs, dtype=bool))

    def step(self, action: Tensor, env_action: NDArray[Any]) -> tuple[list[Batch], list[Finished]]:
        """Advance every environment by one step; those whose episode ended are reset.

        Args:
            action: What the replay buffer shall know, `[num_envs, action_dim]`, in [-1, 1].
            env_action: The same in the units of the environment.

        Returns:
            Rows for the replay buffer, and the episodes that ended.

        Raises:
            UserError: An environment raised, or gave NaN or infinity; nothing of this step is kept.
        """
        try:
            next_obs, reward, terminated, truncated, _ = self.envs.step(env_action)
        except Exception as error:
            raise UserError(f"the environment raised {type(error).__name__}: {' '.join(str(error).split())}") from error
        if not (np.isfinite(next_obs).all() and np.isfinite(reward).all()):
            raise UserError("the environment gave an observation or a reward that is NaN or infinite")
        ended = terminated | truncated
        steps = Transitions(
            self.obs, action, _float(reward), _float(next_obs), torch.from_numpy(np.asarray(terminated, bool))
        )
        rows, finished = [], []
        for i, queue in enumerate(self.queues):
            self.actions[i].append(env_action[i])
            self.returns[i] += float(reward[i])
            batch = queue.push(Transitions(*(column[i] for column in steps)), bool(ended[i]))
            rows += [batch] if batch is not None else []
            if ended[i]:
                finished.append(Finished(self.returns[i], len(self.actions[i])))
        self.obs = steps.next_obs
        if ended.any():
            self.episode = [number + int(end) for number, end in zip(self.episode, ended, strict=True)]
            self._reset(ended)
        return rows, finished

    def close(self) -> None:
        """Release the environments."""
        self.envs.close()

    def state_dict(self) -> dict[str, Any]:
        """What leads back to here."""
        return {
            "episode": self.episode,
            "actions": [torch.from_numpy(np.array(actions)) for actions in self.actions],
            "pending": [[list(step) for step in queue.pending] for queue in self.queues],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to a `state_dict`: reset every environment as its episode began, and act as it did.

        Raises:
            UserError: An environment does not come to where it was: it is not deterministic.
        """
        self.episode = list(state["episode"])
        self._reset(np.ones(len(self.queues), dtype=bool))
        obs = self.obs.clone()
        for i, env in enumerate(self.envs.envs):
            for action in state["actions"][i].numpy():
                next_obs, reward, terminated, truncated, _ = env.step(action)
                if terminated or truncated:
                    raise UserError("an environment ends elsewhere than it did before: it is not deterministic")
                obs[i] = _float(next_obs)
                self.actions[i].append(action)
                self.returns[i] += float(reward)
            self.queues[i].pending = [Transitions(*columns) for columns in state["pending"][i]]
        self.obs = obs

    def _reset(self, which: NDArray[np.bool_]) -> None:
        """Begin the present episode of some environments."""
        seeds: list[int | None] = [
            int(np.random.SeedSequence([self.seed, i, number]).generate_state(1)[0])
            for i, number in enumerate(self.episode)
        ]
        obs, _ = self.envs.reset(seed=seeds, options={"reset_mask": which})
        self.obs = _float(obs)
        for i in np.flatnonzero(which):
            self.actions[i], self.returns[i] = [], 0.0


def _float(array: Any) -> Tensor:
    return torch.from_numpy(np.array(array, dtype=np.float32))
