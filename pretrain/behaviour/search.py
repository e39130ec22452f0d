"""Find the bundled behaviour policies by augmented random search (Mania et al., 2018, arXiv 1803.07055).

    python pretrain/behaviour/search.py walker2d --steps 8000000 --seed 1
    python pretrain/behaviour/search.py walker2d --action_repeat 4     # as it is seen through a camera

Needs the extra `search` (sb3-contrib). The search normalises observations while it learns; the statistics are
folded into the weight and the bias, so that a policy reads raw observations. The best policy met is kept, and with it
those on the way that come closest to a half and to a quarter of its return.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

if not __package__:
    # Run as a script: import from the checkout, not from this folder.
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import gymnasium as gym
import jsonargparse
import numpy as np
from sb3_contrib import ARS
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize

from diffsr_hub.errors import UserError, exit_codes, unknown
from diffsr_hub.suites.pixels.repeat import Repeat
from pretrain.behaviour.linear import NOISE_LEVELS, POLICIES, LinearPolicy, Record, mean_return, record_file, save

_TIERS = ("best", "medium", "weak")
_EPISODES = 20  # of every return that is recorded
_SHORTLIST = 5  # policies per tier that are measured again
_SHORTLIST_SEED, _RECORD_SEED = 20_000, 10_000

Found = list[tuple[float, LinearPolicy]]
"""Policies met on the way, each with its noiseless return over few episodes."""


@dataclass(frozen=True)
class Recipe:
    """Settings of the search for one robot, most of them the paper's."""

    env: str
    n_delta: int
    n_top: int
    learning_rate: float
    delta_std: float
    alive_bonus: float = 0.0
    """subtracted from each reward, or standing still would be a fine policy"""


RECIPES = {
    "hopper": Recipe("Hopper-v5", 8, 4, 0.01, 0.025, alive_bonus=1.0),
    "halfcheetah": Recipe("HalfCheetah-v5", 8, 4, 0.02, 0.03),
    "walker2d": Recipe("Walker2d-v5", 8, 4, 0.02, 0.03, alive_bonus=1.0),
    "swimmer": Recipe("Swimmer-v5", 1, 1, 0.02, 0.01),
    "invertedpendulum": Recipe("InvertedPendulum-v5", 8, 4, 0.1, 0.2),
}


def search(
    robot: str,
    steps: int = 3_000_000,
    seed: int = 0,
    every: int = 10,
    action_repeat: int = 1,
    folder: Path = POLICIES,
) -> Path:
    """Search linear policies for one robot and write `<folder>/<robot>.json`, or `<folder>/repeat<n>/<robot>.json`.

    Args:
        robot: one of the robots of `RECIPES`.
        steps: environment steps of the search.
        seed: seed of the search.
        every: updates between two evaluations.
        action_repeat: steps of the environment for which an action acts; `steps` counts actions.
        folder: where the record is written.

    Raises:
        UserError: there is no recipe for the robot, or a number makes no sense.
    """
    if robot not in RECIPES:
        raise unknown("robot", robot, RECIPES)
    if min(steps, every, action_repeat) < 1 or seed < 0:
        raise UserError("--steps, --every and --action_repeat must be at least 1, --seed at least 0")
    file = record_file(robot, action_repeat, folder)
    file.parent.mkdir(parents=True, exist_ok=True)  # fails now, not after hours
    recipe = RECIPES[robot]
    env = Repeat(gym.make(recipe.env), action_repeat)
    found, steps = _learn(recipe, env, steps, seed, every, action_repeat)
    repeated = f" --action_repeat {action_repeat}" if action_repeat > 1 else ""
    policies = [replace(policy, returns=_measure(env, policy)) for policy in tiers(found, env)]
    record = Record(
        env=recipe.env,
        algorithm="ARS (linear policy)",
        command=f"python pretrain/behaviour/search.py {robot} --steps {steps} --seed {seed} --every {every}{repeated}",
        mujoco=version("mujoco"),
        episodes=_EPISODES,
        random_return=round(mean_return(env, None, 0.0, episodes=_EPISODES, seed=_RECORD_SEED), 1),
        policies=tuple(policies),
        action_repeat=action_repeat,
    )
    save(record, file)
    print(file, {policy.name: policy.returns for policy in policies})
    return file


def _learn(
    recipe: Recipe, env: gym.Env[Any, Any], steps: int, seed: int, every: int, action_repeat: int
) -> tuple[Found, int]:
    """Search; also tells the steps after which a second search stops where this one was stopped by Ctrl-C."""
    training = VecNormalize(
        make_vec_env(lambda: Repeat(gym.make(recipe.env), action_repeat), seed=seed), norm_obs=True, norm_reward=False
    )
    model = ARS(
        "LinearPolicy",
        training,
        n_delta=recipe.n_delta,
        n_top=recipe.n_top,
        learning_rate=recipe.learning_rate,
        delta_std=recipe.delta_std,
        alive_bonus_offset=-recipe.alive_bonus * action_repeat,
        seed=seed,
    )
    keeper = _KeepPolicies(env, every)
    try:
        model.learn(steps, callback=keeper)
    except KeyboardInterrupt:
        if len(keeper.found) < len(_TIERS):
            raise
        print("Stopped early: keeping the best policies met so far.")
        steps = keeper.last_evaluated + 1
    return keeper.found, steps


class _KeepPolicies(BaseCallback):
    """Evaluate the current policy after every few updates and remember it with its noiseless return."""

    def __init__(self, env: gym.Env[Any, Any], every: int) -> None:
        super().__init__()
        self.eval_env, self.every, self.updates = env, every, 0
        self.found: Found = []
        self.last_evaluated = 0

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        assert isinstance(self.model, ARS) and isinstance(self.training_env, VecNormalize)
        if self.updates % self.every == 0:
            policy = fold(self.model, self.training_env)
            result = mean_return(self.eval_env, policy, 0.0, episodes=3, seed=self.updates)
            self.found.append((result, policy))
            self.last_evaluated = self.num_timesteps
            best = max(value for value, _ in self.found)
            print(f"{self.num_timesteps:>9} steps  return {result:8.1f}  best {best:8.1f}", flush=True)
        self.updates += 1


def fold(model: ARS, statistics: VecNormalize) -> LinearPolicy:
    """The linear policy on raw observations that equals `model` behind its observation normaliser.

    They differ only where the normaliser would clip.
    """
    weight = model.policy.state_dict()["action_net.0.weight"].double().numpy()
    rms = statistics.obs_rms
    assert not isinstance(rms, dict)
    scaled = weight / np.sqrt(rms.var + statistics.epsilon)
    return LinearPolicy("candidate", scaled, -scaled @ rms.mean)


def tiers(found: Found, env: gym.Env[Any, Any]) -> list[LinearPolicy]:
    """The best policy, and two others closest to a half and to a quarter of its return, named by tier and rounded.

    The few episodes of the search may have been lucky: those that come into question are measured again.

    Raises:
        UserError: Fewer policies were met than there are tiers.
    """
    if len(found) < len(_TIERS):
        raise UserError(
            f"the search met {len(found)} of {len(_TIERS)} policies: give more --steps or a smaller --every"
        )
    leaders = _shortlist(found, max(value for value, _ in found), env)
    best, leader = max(leaders, key=lambda pair: pair[0])
    chosen = {_TIERS[0]: leader}
    for name, goal in zip(_TIERS[1:], (best / 2, best / 4), strict=True):
        others = [pair for pair in found if not any(pair[1] is policy for policy in chosen.values())]
        chosen[name] = min(_shortlist(others, goal, env), key=lambda pair: abs(pair[0] - goal))[1]
    return [replace(p, name=name, weight=p.weight.round(6), bias=p.bias.round(6)) for name, p in chosen.items()]


def _shortlist(found: Found, goal: float, env: gym.Env[Any, Any]) -> Found:
    """The policies whose return seems closest to `goal`, measured again on fresh episodes."""
    closest = sorted(found, key=lambda pair: abs(pair[0] - goal))[:_SHORTLIST]
    return [(mean_return(env, p, 0.0, episodes=_EPISODES, seed=_SHORTLIST_SEED), p) for _, p in closest]


def _measure(env: gym.Env[Any, Any], policy: LinearPolicy) -> dict[str, float]:
    return {
        str(noise): round(mean_return(env, policy, noise, episodes=_EPISODES, seed=_RECORD_SEED), 1)
        for noise in NOISE_LEVELS
    }


@exit_codes()
def main(argv: Sequence[str] | None = None) -> None:
    """Run the search from the command line."""
    jsonargparse.auto_cli(search, args=None if argv is None else list(argv), allow_abbrev=False)


if __name__ == "__main__":
    main()
