"""Find the bundled behaviour policies by augmented random search (Mania et al., 2018, arXiv 1803.07055).

    python pretrain/search.py walker2d --steps 8000000 --seed 1

Needs the extra `search` (sb3-contrib). The search normalises observations while it learns; the statistics are
folded into the weight and the bias, so that a policy reads raw observations. The best policy met is kept, and with it
those on the way that come closest to a half and to a quarter of its return.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import gymnasium as gym
import jsonargparse
import numpy as np
from sb3_contrib import ARS
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize

from pretrain.behaviour import POLICIES, LinearPolicy, rollout

NOISE_LEVELS = (0.0, 0.1, 0.2, 0.4)


@dataclass(frozen=True)
class Recipe:
    """Settings of the search for one robot; `alive_bonus` is subtracted, or standing still would be a fine policy."""

    env: str
    n_delta: int
    n_top: int
    learning_rate: float
    delta_std: float
    alive_bonus: float = 0.0


RECIPES = {
    "hopper": Recipe("Hopper-v5", 8, 4, 0.01, 0.025, alive_bonus=1.0),
    "halfcheetah": Recipe("HalfCheetah-v5", 32, 4, 0.02, 0.03),
    "walker2d": Recipe("Walker2d-v5", 40, 30, 0.03, 0.025, alive_bonus=1.0),
    "swimmer": Recipe("Swimmer-v5", 1, 1, 0.02, 0.01),
    "invertedpendulum": Recipe("InvertedPendulum-v5", 8, 4, 0.02, 0.05),
}


def mean_return(env: gym.Env[Any, Any], policy: LinearPolicy, noise: float, episodes: int, seed: int) -> float:
    """Mean undiscounted return over `episodes` episodes with action noise."""
    rng = np.random.default_rng(seed)
    return float(np.mean([rollout(env, policy, noise, rng)["rewards"].sum() for _ in range(episodes)]))


def fold(model: ARS, statistics: VecNormalize) -> LinearPolicy:
    """The linear policy on raw observations that equals `model` behind its observation normaliser."""
    weight = model.policy.action_net[0].weight.detach().double().numpy()
    rms = statistics.obs_rms
    scaled = weight / np.sqrt(rms.var + statistics.epsilon)  # type: ignore[union-attr]
    return LinearPolicy("candidate", scaled, -scaled @ rms.mean)  # type: ignore[union-attr]


class KeepPolicies(BaseCallback):
    """Evaluate the current policy after every few updates and remember it with its noiseless return."""

    def __init__(self, env: gym.Env[Any, Any], every: int) -> None:
        super().__init__()
        self.eval_env, self.every, self.updates = env, every, 0
        self.found: list[tuple[float, LinearPolicy]] = []

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        assert isinstance(self.model, ARS) and isinstance(self.training_env, VecNormalize)
        if self.updates % self.every == 0:
            policy = fold(self.model, self.training_env)
            result = mean_return(self.eval_env, policy, 0.0, episodes=3, seed=self.updates)
            self.found.append((result, policy))
            best = max(value for value, _ in self.found)
            print(f"{self.num_timesteps:>9} steps  return {result:8.1f}  best {best:8.1f}", flush=True)
        self.updates += 1

    def _on_step(self) -> bool:
        return True


def tiers(found: list[tuple[float, LinearPolicy]], env: gym.Env[Any, Any]) -> list[LinearPolicy]:
    """The best policy, and those closest to a half and to a quarter of its return, named by tier.

    The best five of the search are measured again on 20 fresh episodes, since three may have been lucky.
    """
    leaders = [policy for _, policy in sorted(found, key=lambda pair: -pair[0])[:5]]
    best, leader = max(((mean_return(env, p, 0.0, 20, 20_000), p) for p in leaders), key=lambda pair: pair[0])
    chosen = {"best": leader}
    for name, goal in {"medium": best / 2, "weak": best / 4}.items():
        chosen[name] = min(found, key=lambda pair: abs(pair[0] - goal))[1]
    return [LinearPolicy(name, p.weight.round(6), p.bias.round(6)) for name, p in chosen.items()]


def search(robot: str, steps: int = 3_000_000, seed: int = 0, every: int = 10, folder: Path = POLICIES) -> Path:
    """Search linear policies for one robot and write `<folder>/<robot>.json`.

    Args:
        robot: One of the robots of `RECIPES`.
        steps: Environment steps of the search.
        seed: Seed of the search.
        every: Updates between two evaluations.
        folder: Where the record is written.
    """
    recipe = RECIPES[robot]
    env = VecNormalize(make_vec_env(recipe.env, seed=seed), norm_obs=True, norm_reward=False)
    model = ARS(
        "LinearPolicy",
        env,
        n_delta=recipe.n_delta,
        n_top=recipe.n_top,
        learning_rate=recipe.learning_rate,
        delta_std=recipe.delta_std,
        alive_bonus_offset=-recipe.alive_bonus,
        seed=seed,
    )
    eval_env = gym.make(recipe.env)
    keeper = KeepPolicies(eval_env, every)
    try:
        model.learn(steps, callback=keeper, log_interval=None)
    except KeyboardInterrupt:
        print("Stopped early: keeping the best policies met so far.")
    policies = [
        {
            "name": policy.name,
            "returns": {
                str(noise): round(mean_return(eval_env, policy, noise, 20, 10_000), 1) for noise in NOISE_LEVELS
            },
            "weight": policy.weight.tolist(),
            "bias": policy.bias.tolist(),
        }
        for policy in tiers(keeper.found, eval_env)
    ]
    rng = np.random.default_rng(10_000)
    random_returns = [rollout(eval_env, None, 0.0, rng)["rewards"].sum() for _ in range(20)]
    record = {
        "env": recipe.env,
        "algorithm": "ARS (linear policy)",
        "command": f"python pretrain/search.py {robot} --steps {steps} --seed {seed}",
        "random_return": round(float(np.mean(random_returns)), 1),
        "policies": policies,
    }
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{robot}.json"
    file.write_text(json.dumps(record, indent=1) + "\n")
    print(file, {policy["name"]: policy["returns"] for policy in policies})
    return file


def main(argv: list[str] | None = None) -> None:
    """Run the search from the command line."""
    jsonargparse.auto_cli(search, args=argv)


if __name__ == "__main__":
    main()
