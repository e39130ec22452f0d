"""One update of pretraining on data of one task, of 10 and of 45, memory-mapped, of Meta-World's sizes.

python benchmarks/speed/many_tasks.py
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import numpy as np
import torch

from benchmarks.program import start
from benchmarks.speed.report import report
from benchmarks.speed.timing import take_turns
from diffsr_hub.data.cache.arrays import open_mapped
from diffsr_hub.data.episodes import Episodes
from diffsr_hub.data.images import Stack
from diffsr_hub.data.part import Part
from pretrain.config import PretrainConfig
from pretrain.datamodule import Batches
from pretrain.fit import build_model, build_module

OBS, ACTION, LENGTH = 39, 4, 500


def mapped_part(folder: Path, steps: int) -> Part:
    """Episodes of noise: the time of an update does not depend on what is learned."""
    folder.mkdir()
    count, rng = steps // LENGTH, np.random.default_rng(0)
    arrays = {
        "frames": rng.standard_normal((steps + count, OBS), np.float32),
        "action": rng.uniform(-1, 1, (steps, ACTION)).astype(np.float32),
        "reward": rng.standard_normal(steps, np.float32),
        "terminated": np.zeros(steps, bool),
        "row": np.arange(steps) + np.arange(steps) // LENGTH,
        "lengths": np.full(count, LENGTH),
    }
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", values)
    return Part(**{name: torch.from_numpy(open_mapped(folder / f"{name}.npy")) for name in arrays}, stack=Stack())


def updates(parts: list[Part], batch_size: int, count: int) -> Callable[[], None]:
    """What makes `count` updates on balanced batches of some tasks."""
    config = PretrainConfig(batch_size=batch_size)
    episodes = Episodes(parts, tasks=[str(i) for i in range(len(parts))])
    module = build_module(config, build_model(config, episodes, torch.arange(episodes.num_episodes)))
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-4, fused=True)
    index = torch.arange(episodes.num_transitions)
    sizes = {"batch_size": batch_size, "num_levels": config.num_levels, "noise_dim": module.model.observe.out_dim}
    batches = iter(Batches(episodes, index, **sizes, seed=0, first_step=lambda: 0))

    def run() -> None:
        for _ in range(count):
            loss, _ = module.losses(next(batches))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return run


def main(steps: int = 25_000, batch_size: int = 256, rounds: int = 9, count: int = 90) -> None:
    """Print the table.

    Args:
        steps: of each task.
        batch_size: transitions per update.
        rounds: turns of each.
        count: updates in a turn; a multiple of 45, so that whole gatherings are counted.
    """
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        parts = [mapped_part(Path(folder) / str(i), steps) for i in range(45)]
        seconds = take_turns({str(n): updates(parts[:n], batch_size, count) for n in (1, 10, 45)}, rounds)
    rows = [[name, f"{value / count * 1e3:.2f}", f"{value / seconds['1']:.2f} ×"] for name, value in seconds.items()]
    report(["tasks", f"ms per update, batch {batch_size}", "against one task"], rows)


if __name__ == "__main__":
    start(main)
