"""Episodes of a finished policy: what it earns, how long it lasts, whether it succeeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import gymnasium as gym
import numpy as np

from diffsr_hub.errors import UserError
from diffsr_hub.suites.success import succeeded
from finetune.acting.answers import SEEDS
from finetune.acting.environments import different_episodes, make_for_evaluation

MAX_ENVIRONMENTS = 16
"""that run side by side, so that one forward pass acts in all of them"""

LONGEST_EPISODE = 100_000
"""steps; an environment may leave it to its id's registration to end an episode, and that may have forgotten it"""


class Policy(Protocol):
    """Whatever acts: our agents, and the models of Stable-Baselines3."""

    def predict(self, observation: Any, *, deterministic: bool) -> tuple[Any, Any]:
        """Actions `[B, action_dim]`, in the units of the environment, for raw observations `[B, obs_dim]`."""


@dataclass(frozen=True)
class Evaluation:
    """What some episodes came to, in the order of their seeds."""

    returns: tuple[float, ...]
    """undiscounted sums of rewards"""
    lengths: tuple[int, ...]
    """steps"""
    successes: tuple[bool, ...] = ()
    """whether the info of a step was one of success, false where none says so; empty if no episode says anything"""

    @property
    def mean_return(self) -> float:
        """The mean over the episodes."""
        return float(np.mean(self.returns))

    @property
    def success_rate(self) -> float | None:
        """The share of episodes with success; None for environments that do not say."""
        return float(np.mean(self.successes)) if self.successes else None

    def summary(self) -> dict[str, Any]:
        """JSON values: the statistics, and every episode."""
        success = {} if self.success_rate is None else {"success_rate": self.success_rate}
        return {
            "mean_return": self.mean_return,
            "std_return": float(np.std(self.returns)),
            "mean_length": float(np.mean(self.lengths)),
            **success,
            "returns": list(self.returns),
            "lengths": list(self.lengths),
            "successes": list(self.successes),
        }


def evaluate(policy: Policy, env_id: str, episodes: int, seed: int) -> Evaluation:
    """Run whole episodes with the deterministic policy, in environments of their own.

    The environments are new and seeded, and a deterministic policy draws nothing: neither the randomness of a
    training that goes on beside it nor its environments are touched.

    Args:
        policy: What acts.
        env_id: A Gymnasium id; its environment is made as its suite measures.
        episodes: How many.
        seed: Of the first episode; the next ones count on from it.

    Raises:
        UserError: No episodes are asked for, or more than differ or have seeds; or the environment raised, gave an
            answer that cannot be used, or ended no episode.
    """
    check_episodes(env_id, episodes)
    if not 0 <= seed <= SEEDS - episodes:
        raise UserError(f"the seeds of episodes must be from 0 to {SEEDS - 1}, got {seed} for the first of {episodes}")
    envs = [make_for_evaluation(env_id) for _ in range(min(episodes, MAX_ENVIRONMENTS))]
    try:
        parts = [
            _side_by_side(policy, envs, range(seed + first, seed + min(first + len(envs), episodes)))
            for first in range(0, episodes, len(envs))
        ]
    finally:
        for env in envs:
            env.close()
    returns, lengths, said = (sum(column, ()) for column in zip(*parts, strict=True))
    return Evaluation(returns, lengths, () if set(said) == {None} else tuple(map(bool, said)))


def check_episodes(env_id: str, episodes: int) -> None:
    """Refuse to evaluate no episodes, or the same one twice.

    Raises:
        UserError: No episodes are asked for, or more than differ.
    """
    if episodes < 1:
        raise UserError(f"episodes must be at least 1, got {episodes}")
    most = different_episodes(env_id)
    if most is not None and episodes > most:
        raise UserError(
            f"an evaluation in {env_id} has {most} different episodes, always the same: "
            f"episodes must be at most {most}, got {episodes}"
        )


def _side_by_side(
    policy: Policy, envs: Sequence[gym.Env[Any, Any]], seeds: Sequence[int]
) -> tuple[tuple[float, ...], tuple[int, ...], tuple[bool | None, ...]]:
    """One episode in each environment: returns, lengths, and successes, None for one that did not say."""
    obs = {i: envs[i].reset(seed=seed)[0] for i, seed in enumerate(seeds)}
    returns, lengths = [0.0] * len(seeds), [0] * len(seeds)
    successes: list[bool | None] = [None] * len(seeds)
    while obs:
        if max(lengths) == LONGEST_EPISODE:
            raise UserError(
                f"an episode of the environment has not ended after {LONGEST_EPISODE:,} steps: "
                "register it with max_episode_steps"
            )
        actions, _ = policy.predict(np.stack(list(obs.values())), deterministic=True)
        for i, action in zip(list(obs), actions, strict=True):
            obs[i], reward, terminated, truncated, info = envs[i].step(action)
            returns[i] += float(reward)
            lengths[i] += 1
            if (success := succeeded(info)) is not None:
                successes[i] = bool(successes[i]) or success
            if terminated or truncated:
                del obs[i]
    return tuple(returns), tuple(lengths), tuple(successes)
