"""What an ingredient of the online agent is worth: each is left out once, on development seeds.

    python benchmarks/studies/ingredients.py          # trains what is missing, then tabulates; goes on where it stopped
    python benchmarks/studies/ingredients.py --train false  # the table alone, from the raw results that are kept

An arm with all ingredients is held against the same arm without one of them. What is no setting of `diffsr finetune` is
taken out of the agent here. Kept of a run: its evaluations with every episode, in
docs/results/ingredients/TASK/ARM/seed-N. The encoders are those of benchmarks/studies/transfer.py.
"""

import multiprocessing
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import torch
from jsonargparse import auto_cli
from torch import Tensor

from benchmarks.studies import study
from diffsr_hub.errors import exit_codes
from diffsr_hub.studies.recorded_runs import RECORD, Run, read_run, read_runs
from diffsr_hub.studies.statistics import area
from finetune.agent.critic import TwinCritic
from finetune.config import FinetuneConfig
from finetune.running.run_folder import RunFolder
from finetune.running.training import Training
from finetune.sweep.plan import robot, slug

KEPT = study.ROOT / "docs" / "results" / "ingredients"
TASKS = ("HalfCheetah-v5", "Hopper-v5")
Settings = dict[str, Any]
ARMS: dict[str, dict[str, str]] = {
    "scratch": {},
    "offline": {"offline_dataset": "mujoco/{robot}/bundled-v0"},
    "finetuned": {"encoder": "runs/encoders/{robot}-0/encoder"},
}


def newest_psi(training: Training) -> None:
    """Let critics and policy see ψ itself instead of its moving average."""
    learner = training.learner
    average = {id(tensor) for tensor in learner.target_psi.parameters()}
    pairs = [(a, b) for a, b in zip(learner.averages, learner.followed, strict=True) if id(a) not in average]
    learner.averages, learner.followed = [a for a, _ in pairs], [b for _, b in pairs]
    learner.target_psi = learner.agent.encoder.psi_network


def rewards_as_they_are(training: Training) -> None:
    """Do not divide rewards by their mean size."""
    measure = training._measure

    def unscaled(replay: Any) -> None:
        measure(replay)
        training.agent.reward_scale.fill_(1)

    training._measure = unscaled  # type: ignore[method-assign]


def sharp_targets(training: Training) -> None:
    """Take the policy's own action in TD targets, without noise."""
    training.agent.actor.TARGET_NOISE = 0.0


class UnnormalizedCritic(TwinCritic):
    """Random Fourier features of ψ itself."""

    def _normalized(self, psi: Tensor) -> Tensor:
        return psi

    @torch.no_grad()
    def ascend(self, psi: Tensor) -> tuple[Tensor, Tensor]:
        """The mean of both critics and its slope, without the layer normalisation in between."""
        waves = self._waves(psi)
        return self._values(waves).mean(0), self._slope(waves) @ self.omega.T / 2


def psi_as_it_is(training: Training) -> None:
    """Do not normalise ψ before the critics' frequencies."""
    for critic in (training.agent.critic, training.learner.target_critic):
        critic.__class__ = UnnormalizedCritic


class Ablation(NamedTuple):
    """An arm without an ingredient."""

    ingredient: str
    arm: str
    """that has it"""
    settings: Settings
    change: Callable[[Training], None]


def _nothing(training: Training) -> None:
    """The settings do it."""


ABLATIONS = {
    "newest-psi": Ablation("moving average ψ̄", "scratch", {}, newest_psi),
    "raw-rewards": Ablation("rewards divided by their mean size", "scratch", {}, rewards_as_they_are),
    "raw-psi": Ablation("layer normalisation of ψ", "scratch", {}, psi_as_it_is),
    "sharp-targets": Ablation("noise on target actions", "scratch", {}, sharp_targets),
    "no-reward": Ablation("prediction of the reward, weight 0.1", "scratch", {"reward_coef": 0.0}, _nothing),
    "no-imitation": Ablation("imitation, weight 1", "offline", {"imitation_coef": 0.0}, _nothing),
    "seldom-psi": Ablation("ψ learns at all updates, not one in 4", "finetuned", {"representation_every": 4}, _nothing),
}


def folder(runs: Path, task: str, name: str, seed: int) -> Path:
    """Where a run goes."""
    return runs / slug(task) / name / f"seed-{seed}"


def is_whole(kept: Path, total_steps: int) -> bool:
    """Whether a run is kept to its last step: one that was interrupted is kept too."""
    return (kept / RECORD).is_file() and read_run(kept).steps[-1] >= total_steps


def carry_on(task: str, name: str, seed: int, total_steps: int, runs: Path) -> None:
    """Train one arm whole or without one ingredient, or go on with it."""
    torch.set_num_threads(1)
    left_out = ABLATIONS.get(name, Ablation("", name, {}, _nothing))
    settings = {
        **{k: v.format(robot=robot(task)) for k, v in ARMS[left_out.arm].items()},
        **left_out.settings,
        **{"env": task, "seed": seed, "total_steps": total_steps, "arm": name, "progress": False, "download": False},
    }
    place = RunFolder(folder(runs, task, name, seed))
    config = FinetuneConfig(run_dir=place.path, resume=place.path if place.path.exists() else None, **settings)
    training = Training(config, place, say=lambda _: None)
    left_out.change(training)
    with place.in_use(config):
        training.run()


def table(runs: Sequence[Run]) -> str:
    """One line an ingredient: the mean return over the run with it and without it."""
    lines = ["| ingredient | arm | " + " | ".join(TASKS) + " |", "|---|---|" + "---|" * len(TASKS)]
    for name, ablation in ABLATIONS.items():
        cells = [
            f"{_mean(runs, task, ablation.arm):,.0f} with, {_mean(runs, task, name):,.0f} without" for task in TASKS
        ]
        lines.append(f"| {ablation.ingredient} | {ablation.arm} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _mean(runs: Sequence[Run], task: str, arm: str) -> float:
    found = [area(run.steps, run.measures["mean_return"]) for run in runs if (run.env, run.arm) == (task, arm)]
    return sum(found) / len(found)


def main(
    seeds: Sequence[int] = (100,),
    total_steps: int = 12_000,
    runs: Path = Path("runs/ingredients"),
    workers: int = 2,
    train: bool = True,
) -> None:
    """Train what is missing, keep the raw results, print the table.

    Args:
        seeds: Development seeds, that no study reports.
        total_steps: Environment steps of every run.
        runs: Where the runs go.
        workers: Runs at a time.
        train: Whether to train, or only to tabulate what is kept.
    """
    if train:
        wanted = product(TASKS, [*ARMS, *ABLATIONS], seeds)
        missing = [run for run in wanted if not is_whole(folder(KEPT, *run), total_steps)]
        jobs = [partial(carry_on, *run, total_steps, runs) for run in missing]
        try:
            study.carry_out(ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")), jobs)
        finally:
            study.keep(runs, KEPT)
    print(table(read_runs([KEPT])))


if __name__ == "__main__":
    with exit_codes():
        auto_cli(main, as_positional=False)
