"""Time of one update of Algorithm 1: the closed-form score against the matrix-valued one, and against its floor.

    python benchmarks/speed/update_time.py

The floor replays the matrix products of one update, forward and backward, and nothing else: same shapes, same layouts,
results written into memory that is already there.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import torch

from benchmarks.program import start
from benchmarks.speed.floor import RecordProducts
from benchmarks.speed.report import report
from benchmarks.speed.timing import take_turns
from diffsr_hub import DiffSR, Transitions
from pretrain.datamodule import NoisyBatch, stratified_levels
from pretrain.module import DiffSRModule

ROBOTS = {"hopper": (11, 3), "halfcheetah": (17, 6), "ant": (105, 8), "humanoid": (348, 17)}
AUTHORS: dict[str, Any] = {
    "feature_dim": 512,
    "psi_hidden": (512,) * 3,
    "nu_hidden": (512,) * 3,
    "psi_network": "residual",
}
AUTHORS_SIZES: dict[str, Any] = {"feature_dim": 512, "psi_hidden": (512,) * 3, "nu_hidden": (512,) * 3}
QUICK = 20
"""Calls per turn of the updates at our sizes."""


class Update:
    """One training step on a ready batch: loss, backward, Adam."""

    def __init__(self, obs_dim: int, action_dim: int, batch_size: int, **sizes: Any) -> None:
        torch.manual_seed(0)
        self.module = DiffSRModule(DiffSR(obs_dim, action_dim, **sizes), learning_rate=1e-4, max_steps=10**9)
        self.optimizer = self.module.configure_optimizers()["optimizer"]
        data = Transitions(
            torch.randn(batch_size, obs_dim),
            torch.rand(batch_size, action_dim) * 2 - 1,
            torch.randn(batch_size),
            torch.randn(batch_size, obs_dim),
            torch.zeros(batch_size, dtype=torch.bool),
        )
        level = stratified_levels(batch_size, 50, torch.Generator())
        self.batch = NoisyBatch(data, level, torch.randn(batch_size, obs_dim))

    def __call__(self) -> None:
        """Run it."""
        loss, _ = self.module.losses(self.batch)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def floor(self) -> Callable[[], None]:
        """The matrix products of this update alone."""
        with RecordProducts() as record:
            self()
        return record.replay


def main(batch_size: int = 256, rounds: int = 15, robots: tuple[str, ...] = tuple(ROBOTS)) -> None:
    """Print both tables.

    Args:
        batch_size: Transitions per update.
        rounds: Turns that each candidate has.
        robots: Which observation and action sizes.
    """
    torch.set_num_threads(1)
    columns = [
        "robot (obs)",
        "ours",
        "floor",
        "ours / floor",
        "ours at 8 samples",
        "ours, authors' sizes",
        "its floor",
        "/ floor",
        "matrix, our sizes",
        "/ ours",
        "matrix, authors' network",
        "/ ours",
    ]
    rows = (row(robot, batch_size, rounds) for robot in robots)
    report(columns, rows, note="Milliseconds per update, and ratios.")


def row(robot: str, batch_size: int, rounds: int) -> list[str]:
    """Measure one robot's sizes."""
    obs_dim, action_dim = ROBOTS[robot]
    ours = Update(obs_dim, action_dim, batch_size)
    large = Update(obs_dim, action_dim, batch_size, **AUTHORS_SIZES)
    small: dict[str, Callable[[], object]] = {
        "ours": ours,
        "floor": ours.floor(),
        "few": Update(obs_dim, action_dim, 8),
    }
    big: dict[str, Callable[[], object]] = {
        "large": large,
        "large floor": large.floor(),
        "matrix": Update(obs_dim, action_dim, batch_size, score="matrix"),
        "authors": Update(obs_dim, action_dim, batch_size, score="matrix", **AUTHORS),
    }
    # A turn of the quick ones lasts about as long as a turn of the others, as in training their weights stay in cache.
    quick: dict[str, Callable[[], object]] = {name: Repeat(call, QUICK) for name, call in small.items()}
    seconds = take_turns(quick | big, rounds)
    ms = {name: 1e3 * value / (QUICK if name in quick else 1) for name, value in seconds.items()}
    ours_ms = ms["ours"]
    return [
        f"{robot} ({obs_dim})",
        f"{ours_ms:.2f}",
        f"{ms['floor']:.2f}",
        f"{ours_ms / ms['floor']:.2f}",
        f"{ms['few']:.2f}",
        f"{ms['large']:.1f}",
        f"{ms['large floor']:.1f}",
        f"{ms['large'] / ms['large floor']:.2f}",
        f"{ms['matrix']:.1f}",
        f"{ms['matrix'] / ours_ms:.1f}",
        f"{ms['authors']:.0f}",
        f"{ms['authors'] / ours_ms:.0f}",
    ]


class Repeat:
    """Call something several times."""

    def __init__(self, call: Callable[[], object], times: int) -> None:
        self.call, self.times = call, times

    def __call__(self) -> None:
        """All calls."""
        for _ in range(self.times):
            self.call()


if __name__ == "__main__":
    start(main)
