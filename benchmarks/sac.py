"""Stable-Baselines3's SAC under the protocol of the transfer study: one run, one JSON file.

python benchmarks/sac.py --env Hopper-v5 --seed 0 --file runs/sac-Hopper-v5-0.json
"""

import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import gymnasium as gym
import torch
from jsonargparse import auto_cli
from stable_baselines3 import SAC

import finetune.tasks  # noqa: F401 (registers the new tasks)
from diffsr_hub.pretrained import write_text
from finetune.evaluation import evaluate

EVALUATION_SEED = 1_000_000


@dataclass
class Curve:
    """The learning curve of one run, as the study keeps it."""

    arm: str
    env: str
    seed: int
    steps: list[int] = field(default_factory=list)
    returns: list[list[float]] = field(default_factory=list)
    """of every episode of every evaluation"""
    seconds: list[float] = field(default_factory=list)
    """CPU time of training so far, without evaluations"""


def main(
    env: str, file: Path, seed: int = 0, total_steps: int = 30_000, eval_every: int = 2_000, episodes: int = 10
) -> None:
    """Train with the defaults of Stable-Baselines3 and evaluate on the way.

    Args:
        env: Gymnasium id.
        file: Where the JSON goes; rewritten after every evaluation.
        seed: Of the run.
        total_steps: Environment steps.
        eval_every: Steps between two evaluations.
        episodes: Per evaluation.
    """
    torch.set_num_threads(1)
    model = SAC("MlpPolicy", gym.make(env), seed=seed, device="cpu")
    curve, seconds = Curve("sac", env, seed), 0.0
    file.parent.mkdir(parents=True, exist_ok=True)
    for step in range(0, total_steps + 1, eval_every):
        if step:
            start = time.process_time()
            model.learn(eval_every, reset_num_timesteps=False)
            seconds += time.process_time() - start
        curve.steps.append(step)
        curve.returns.append(list(evaluate(model, env, episodes, EVALUATION_SEED).returns))
        curve.seconds.append(seconds)
        write_text(file, json.dumps(vars(curve)) + "\n")


if __name__ == "__main__":
    auto_cli(main, as_positional=False)
