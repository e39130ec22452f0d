"""Pictures a second: of our cheap copy of a model, and of Gymnasium's own renderer on the same simulation.

python benchmarks/speed/rendering.py
"""

import os
import sys
import warnings
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import gymnasium as gym
import numpy as np
import torch

import diffsr_hub.suites.pixels.environment  # noqa: F401 (registers the ids)
from benchmarks.program import start
from benchmarks.speed.report import report
from benchmarks.speed.timing import take_turns
from diffsr_hub.suites.pixels.names import pixels_id

ENVIRONMENTS = (
    "HalfCheetah-v5",
    "Hopper-v5",
    "Walker2d-v5",
    "metaworld/button-press-v3",
    "metaworld/door-open-v3",
    "metaworld/hammer-v3",
)
PICTURES = 20
"""of ours in a turn, in which Gymnasium draws one"""


def gymnasiums(env: Any) -> None:
    """A picture of Gymnasium's, which draws into whatever context is current."""
    viewer = getattr(env.unwrapped, "robot", env.unwrapped).mujoco_renderer.viewer
    viewer.make_context_current()
    env.render()


def row(env_id: str, size: int, rounds: int) -> list[str]:
    """The line of one environment."""
    seen: Any = gym.make(pixels_id(env_id), size=size, stack=1).unwrapped
    own: Any = gym.make(env_id, render_mode="rgb_array", width=size, height=size)
    action = np.zeros(own.action_space.shape or 0, np.float32)
    with closing(seen), closing(own):
        seen.reset(seed=0)
        own.reset(seed=0)
        own.render()  # makes its context
        candidates: dict[str, Callable[[], object]] = {
            "own": lambda: gymnasiums(own),
            "ours": lambda: [seen.picture() for _ in range(PICTURES)],
            "step": lambda: [own.step(action) for _ in range(PICTURES)],
        }
        seconds = take_turns(candidates, rounds)
    theirs, ours = 1 / seconds["own"], PICTURES / seconds["ours"]
    step_us = 1e6 * seconds["step"] / PICTURES
    numbers = [f"{value:,.0f}" for value in (theirs, ours, ours / theirs, 1e6 / ours, step_us)]
    return [env_id, *numbers]


def main(size: int = 64, rounds: int = 11, environments: tuple[str, ...] = ENVIRONMENTS) -> None:
    """Print the table.

    Args:
        size: Side of the pictures in pixels.
        rounds: Turns that each candidate has.
        environments: Ids of the environments that are seen.
    """
    os.environ.setdefault("MUJOCO_GL", "egl")  # Gymnasium's renderer needs to be told; ours does not
    os.environ["LP_NUM_THREADS"] = "0"  # both draw in the thread whose time is counted
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    columns = ["environment", "Gymnasium's, pictures / s", "ours", "ratio", "ours, µs", "a step of the environment, µs"]
    report(columns, (row(env_id, size, rounds) for env_id in environments))


if __name__ == "__main__":
    start(main)
