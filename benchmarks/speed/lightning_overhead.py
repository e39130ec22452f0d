"""Lightning's loop, as `diffsr pretrain` sets it up, against a bare loop over the same batches and updates.

python benchmarks/speed/lightning_overhead.py
"""

import contextlib
import io
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

from benchmarks.program import start
from benchmarks.speed.report import report
from diffsr_hub.data.episodes import Episodes
from diffsr_hub.data.part import Part
from pretrain.config import PretrainConfig
from pretrain.datamodule import TransitionDataModule
from pretrain.fit import build_model, build_module, build_trainer, quieten_lightning
from pretrain.module import LOG_EVERY
from pretrain.run_folder import RunFolder

WARM_UP = 2 * LOG_EVERY


def hopper_like(steps: int = 100_000, length: int = 500) -> Episodes:
    """Episodes of noise with Hopper's sizes: the time of an update does not depend on what is learned."""
    episodes = steps // length
    frames, first = torch.randn(steps + episodes, 11), torch.arange(steps) // length
    part = Part(
        frames=frames,
        action=torch.rand(steps, 3) * 2 - 1,
        reward=torch.randn(steps),
        terminated=torch.zeros(steps, dtype=torch.bool),
        row=torch.arange(steps) + first,
        lengths=torch.full((episodes,), length),
    )
    return Episodes([part])


class Clock(Callback):
    """CPU seconds between the end of the warm-up and the end of training."""

    started = seconds = 0.0

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Start and stop."""
        if trainer.global_step == WARM_UP:
            self.started = time.thread_time()
        if trainer.global_step == trainer.max_steps:
            self.seconds = time.thread_time() - self.started


def lightning_loop(config: PretrainConfig, episodes: Episodes, *, attached: bool = True) -> float:
    """Milliseconds per step of the real trainer; `attached` says whether with its bar, loggers and callbacks."""
    module, data = parts(config, episodes)
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        run = RunFolder(Path(folder))
        trainer = build_trainer(config, run)
        if not attached:
            trainer.callbacks, trainer.loggers = [], []  # type: ignore[attr-defined]
            module._log_means = lambda values: None
        trainer.callbacks.append(clock)  # type: ignore[attr-defined]
        trainer.fit(module, datamodule=data)
    return 1e3 * clock.seconds / (config.max_steps - WARM_UP)


def bare_loop(config: PretrainConfig, episodes: Episodes) -> float:
    """Milliseconds per step of the same batches, losses, updates and learning rates without Lightning."""
    module, data = parts(config, episodes)
    optimizers = module.configure_optimizers()
    optimizer, schedule = optimizers["optimizer"], optimizers["lr_scheduler"]["scheduler"]
    step = 0
    batches = iter(data.batches(first_step=lambda: step))
    started = 0.0
    for step in range(1, config.max_steps + 1):
        batch = next(batches)
        loss, _ = module.losses(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step == WARM_UP:
            started = time.thread_time()
    return 1e3 * (time.thread_time() - started) / (config.max_steps - WARM_UP)


def parts(config: PretrainConfig, episodes: Episodes) -> tuple[Any, TransitionDataModule]:
    """A fresh module and its data."""
    everything = torch.arange(episodes.num_transitions)
    module = build_module(config, build_model(config, episodes, torch.arange(episodes.num_episodes)))
    sizes = {"batch_size": config.batch_size, "num_levels": config.num_levels}
    size = module.model.observe.out_dim
    return module, TransitionDataModule(episodes, everything, everything, **sizes, noise_dim=size, seed=config.seed)


def main(batch_size: int = 256, steps: int = 1_000, rounds: int = 5) -> None:
    """Print the ratio.

    Args:
        batch_size: Transitions per update.
        steps: Updates per turn, of which the first hundred are not counted.
        rounds: Turns that each loop has.
    """
    torch.set_num_threads(1)
    quieten_lightning()
    config = PretrainConfig(batch_size=batch_size, max_steps=steps, validate_every=10 * steps, accelerator="cpu")
    episodes = hopper_like()
    turns = [
        (
            bare_loop(config, episodes),
            lightning_loop(config, episodes, attached=False),
            lightning_loop(config, episodes),
        )
        for _ in range(rounds)
    ]
    bare, alone, lightning = (statistics.median(column) for column in zip(*turns, strict=True))
    head = ["batch", "bare loop, ms per step", "Lightning with nothing attached", "ratio", "as we set it up", "ratio"]
    ours = [f"{alone:.2f}", f"{alone / bare:.2f}", f"{lightning:.2f}", f"{lightning / bare:.2f}"]
    report(head, [[str(batch_size), f"{bare:.2f}", *ours]])


if __name__ == "__main__":
    start(main)
