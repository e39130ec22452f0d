"""Time of one environment step with its updates, against Stable-Baselines3's SAC and against the products' floor.

    python benchmarks/speed/online_step.py

Hopper-v5, batch 256, one update a step, one thread. The candidates take turns of a few dozen steps each.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import gymnasium as gym
import torch
from stable_baselines3 import SAC

from benchmarks.program import start
from benchmarks.speed.floor import RecordProducts
from benchmarks.speed.report import report
from benchmarks.speed.timing import take_turns
from diffsr_hub import DiffSR
from finetune.config import FinetuneConfig
from finetune.running.run_folder import RunFolder
from finetune.train import compose

ENV = "Hopper-v5"


class OurStep:
    """One environment step of our agent with its updates, after the random steps of the start."""

    def __init__(self, batch_size: int, encoder: Path, **settings: Any) -> None:
        config = FinetuneConfig(
            encoder=str(encoder), env=ENV, batch_size=batch_size, learning_starts=batch_size, **settings
        )
        self.training = compose(config, RunFolder(encoder.parent / "run"), say=lambda line: None).training
        self.policy_delay = config.policy_delay
        for _ in range(2 * batch_size):
            self.training.advance()

    def __call__(self) -> None:
        """Advance."""
        self.training.advance()

    def floor(self) -> Callable[[], None]:
        """The products of as many steps as the policy's updates are apart, for the mean of one."""
        delay = self.policy_delay
        records = []
        for _ in range(delay):
            with RecordProducts() as record:
                self()
            records.append(record)
        turn = [0]

        def replay() -> None:
            records[turn[0] % delay].replay()
            turn[0] += 1

        return replay


def sac(batch_size: int, steps: int) -> Callable[[], None]:
    """As many steps of Stable-Baselines3's SAC at its default sizes."""
    model = SAC("MlpPolicy", gym.make(ENV), batch_size=batch_size, learning_starts=batch_size, seed=0, device="cpu")
    model.learn(2 * batch_size)

    def run() -> None:
        model.learn(steps, reset_num_timesteps=False)

    return run


def several(call: Callable[[], object], times: int) -> Callable[[], None]:
    """Call something several times."""

    def run() -> None:
        for _ in range(times):
            call()

    return run


def main(batch_size: int = 256, rounds: int = 15, steps: int = 20) -> None:
    """Print the table.

    Args:
        batch_size: Transitions per update.
        rounds: Turns that each candidate has.
        steps: Environment steps in a turn.
    """
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        encoder = Path(folder) / "encoder"
        DiffSR(11, 3).save_pretrained(encoder)
        ours = {
            "frozen ψ": OurStep(batch_size, encoder, mode="frozen"),
            "ψ learns": OurStep(batch_size, encoder),
            "frozen ψ, maximum entropy": OurStep(
                batch_size, encoder, mode="frozen", policy="maximum_entropy", policy_delay=1
            ),
        }
        candidates: dict[str, Callable[[], object]] = {"SAC (Stable-Baselines3)": sac(batch_size, steps)}
        for name, step in ours.items():
            candidates[name] = several(step, steps)
            candidates[f"{name}: its products alone"] = several(step.floor(), steps)
        seconds = take_turns(candidates, rounds)
    reference, rows = seconds["SAC (Stable-Baselines3)"], []
    for name, value in seconds.items():
        floor = seconds.get(f"{name}: its products alone")
        ratio = "" if floor is None else f"{value / floor:.2f}"
        rows.append([name, f"{1e3 * value / steps:.2f}", f"{value / reference:.2f}", ratio])
    report(["one environment step with one update", "ms", "× SAC", "× its products"], rows)


if __name__ == "__main__":
    start(main)
