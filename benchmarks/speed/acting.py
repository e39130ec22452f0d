"""Time from one observation to one action, against sampling one next state from the same model by reverse diffusion.

    python benchmarks/speed/acting.py

The point of Diff-SR: it learns with a diffusion model's loss, and acts without ever sampling.
"""

import sys
from pathlib import Path

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import numpy as np
import torch

from benchmarks.program import start
from benchmarks.speed.report import report
from benchmarks.speed.timing import take_turns
from diffsr_hub import DiffSR
from finetune import Agent

SIZES = {"Hopper-v5": (11, 3), "HalfCheetah-v5": (17, 6), "Humanoid-v5": (348, 17)}
CALLS = 50
"""in a turn, of the quick ones"""


def row(env: str, rounds: int) -> list[str]:
    """Measure one environment's sizes."""
    obs_dim, action_dim = SIZES[env]
    torch.manual_seed(0)
    encoder = DiffSR(obs_dim, action_dim)
    agent = Agent(encoder.arguments, env, [-1.0] * action_dim, [1.0] * action_dim).eval()
    obs = np.random.default_rng(0).standard_normal(obs_dim)
    state, action = torch.zeros(obs_dim), torch.zeros(action_dim)

    def act() -> None:
        for _ in range(CALLS):
            agent.predict(obs, deterministic=True)

    def value() -> None:
        with torch.no_grad():
            for _ in range(CALLS):
                agent.value(state, action)

    def sample() -> None:
        encoder.sample_next_obs(state, action)

    seconds = take_turns({"act": act, "value": value, "sample": sample}, rounds)
    act_us, value_us, sample_us = 1e6 * seconds["act"] / CALLS, 1e6 * seconds["value"] / CALLS, 1e6 * seconds["sample"]
    name, ratio = f"{env} ({obs_dim})", sample_us / act_us
    return [name, f"{act_us:.0f}", f"{value_us:.0f}", f"{sample_us:,.0f}", f"{ratio:.0f}"]


def main(rounds: int = 21) -> None:
    """Print the table.

    Args:
        rounds: Turns that each candidate has.
    """
    torch.set_num_threads(1)
    columns = ("environment (obs)", "act", "value of (s, a)", "sample a next state, 50 levels", "sample / act")
    report(columns, (row(env, rounds) for env in SIZES), note="Microseconds, median.")


if __name__ == "__main__":
    start(main)
