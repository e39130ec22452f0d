"""What an ingredient of the online agent is worth: each is left out once, on development seeds.

    python benchmarks/studies/ingredients.py          # trains what is missing, then tabulates; goes on where it stopped
    python benchmarks/studies/ingredients.py --train false  # the table alone, from the raw results that are kept

An arm with all ingredients is held against the same arm without one of them. What is no setting of `diffsr finetune` is
taken out of the agent here. Kept of a run: its evaluations with every episode, a line of results/ingredients.jsonl. The
encoders are those of benchmarks/studies/transfer.py.
"""

import multiprocessing
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import torch
from torch import Tensor

from benchmarks.program import ROOT, start
from benchmarks.studies import study
from benchmarks.studies.results import Results
from diffsr_hub.files.json_lines import Record
from diffsr_hub.presentation.markdown import markdown_table
from diffsr_hub.studies.measure import RETURN
from diffsr_hub.studies.recorded_runs import Run
from diffsr_hub.studies.statistics import area
from finetune.agent.actor import DeterministicActor
from finetune.agent.agent import Agent
from finetune.agent.critic import TwinCritic
from finetune.config import FinetuneConfig
from finetune.learning.batch import Scale
from finetune.learning.diffsr_learner import DiffSRLearner
from finetune.running.run_folder import RunFolder
from finetune.sweep.plan import robot, slug
from finetune.train import compose

RESULTS = Results("ingredients")
TASKS = ("HalfCheetah-v5", "Hopper-v5")
Settings = dict[str, Any]
ARMS: dict[str, dict[str, str]] = {
    "scratch": {},
    "offline": {"offline_dataset": "mujoco/{robot}/bundled"},
    "finetuned": {"encoder": "runs/encoders/{robot}-0/encoder"},
}


class NewestPsi(DiffSRLearner):
    """Critics and policy see ψ itself instead of its moving average."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        average = {id(tensor) for tensor in self.target_psi.parameters()}
        pairs = [(a, b) for a, b in zip(self.averages, self.followed, strict=True) if id(a) not in average]
        self.averages, self.followed = [a for a, _ in pairs], [b for _, b in pairs]
        self.target_psi = self.agent.encoder.psi_network


class RawRewards(DiffSRLearner):
    """Rewards are not divided by their mean size."""

    def measure(self, scale: Scale) -> None:
        """Leave the rewards as they are."""
        super().measure(scale._replace(reward=torch.ones(())))


class SharpTargets(DiffSRLearner):
    """TD targets take the policy's own action, without noise."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        actor = self.agent.actor
        assert isinstance(actor, DeterministicActor)
        actor.TARGET_NOISE = 0.0


class UnnormalizedCritic(TwinCritic):
    """Random Fourier features of ψ itself."""

    def _normalized(self, psi: Tensor) -> Tensor:
        return psi

    @torch.no_grad()
    def ascend(self, psi: Tensor) -> tuple[Tensor, Tensor]:
        """The mean of both critics and its slope, without the layer normalisation in between."""
        waves = self._waves(psi)
        return self._values(waves).mean(0), self._slope(waves) @ self.omega.T / 2


class RawPsi(DiffSRLearner):
    """ψ is not normalised before the critics' frequencies."""

    def __init__(self, agent: Agent, *arguments: Any, **keywords: Any) -> None:
        with torch.random.fork_rng():  # the weights are those of the agent's own critic
            critic = UnnormalizedCritic(
                agent.encoder.config.feature_dim, agent.config.critic_frequencies, agent.config.bandwidth
            )
        critic.load_state_dict(agent.critic.state_dict())
        agent.critic = critic
        super().__init__(agent, *arguments, **keywords)


class Ablation(NamedTuple):
    """An arm without an ingredient."""

    ingredient: str
    arm: str
    """that has it"""
    settings: Settings
    learner: type[DiffSRLearner] = DiffSRLearner


ABLATIONS = {
    "newest-psi": Ablation("moving average ψ̄", "scratch", {}, NewestPsi),
    "raw-rewards": Ablation("rewards divided by their mean size", "scratch", {}, RawRewards),
    "raw-psi": Ablation("layer normalisation of ψ", "scratch", {}, RawPsi),
    "sharp-targets": Ablation("noise on target actions", "scratch", {}, SharpTargets),
    "no-reward": Ablation("prediction of the reward, weight 0.1", "scratch", {"reward_coef": 0.0}),
    "no-imitation": Ablation("imitation, weight 1", "offline", {"imitation_coef": 0.0}),
    "seldom-psi": Ablation("ψ learns at all updates, not one in 4", "finetuned", {"representation_every": 4}),
}


def folder(runs: Path, task: str, name: str, seed: int) -> Path:
    """Where a run goes."""
    return runs / slug(task) / name / f"seed-{seed}"


def whole(records: Sequence[Record], total_steps: int) -> set[tuple[str, str, int]]:
    """Task, name and seed of the runs that are kept to their last step: those that were interrupted are kept too."""
    ended = [each for each in records if each["evaluations"][-1]["step"] >= total_steps]
    return {(each["env"], each["arm"], each["seed"]) for each in ended}


def carry_on(task: str, name: str, seed: int, total_steps: int, runs: Path) -> None:
    """Train one arm whole or without one ingredient, or go on with it."""
    torch.set_num_threads(1)
    left_out = ABLATIONS.get(name, Ablation("", name, {}))
    settings = {
        **{k: v.format(robot=robot(task)) for k, v in ARMS[left_out.arm].items()},
        **left_out.settings,
        **{"env": task, "seed": seed, "total_steps": total_steps, "arm": name, "progress": False, "download": False},
    }
    place = RunFolder(folder(runs, task, name, seed))
    config = FinetuneConfig(run_dir=place.path, resume=place.path if place.path.exists() else None, **settings)
    training, state, _ = compose(config, place, say=lambda _: None, kind=left_out.learner)
    with place.in_use(config):
        training.run(state)


def table(runs: Sequence[Run], tasks: Sequence[str]) -> str:
    """One line an ingredient: the mean return over the run with it and without it."""
    rows = [["ingredient", "arm", *tasks]]
    for name, ablation in ABLATIONS.items():
        means = [(_mean(runs, task, ablation.arm), _mean(runs, task, name)) for task in tasks]
        cells = [f"{there:,.0f} with, {without:,.0f} without" for there, without in means]
        rows.append([ablation.ingredient, ablation.arm, *cells])
    return f"{markdown_table(rows)}\n"


def _mean(runs: Sequence[Run], task: str, arm: str) -> float:
    found = [area(run.steps, run.measures[RETURN.name]) for run in runs if (run.env, run.arm) == (task, arm)]
    return sum(found) / len(found)


def main(
    tasks: tuple[str, ...] = TASKS,
    seeds: Sequence[int] = (100,),
    total_steps: int = 12_000,
    runs: Path = Path("runs/ingredients"),
    workers: int = 2,
    train: bool = True,
    root: Path = ROOT,
) -> None:
    """Train what is missing, keep the raw results, print the table.

    Args:
        tasks: Gymnasium ids.
        seeds: Development seeds, that no study reports.
        total_steps: Environment steps of every run.
        runs: Where the runs go.
        workers: Runs at a time.
        train: Whether to train, or only to tabulate what is kept.
        root: The folder whose results/ is written.
    """
    results = Results("ingredients", root)
    if train:
        there = whole(results.records(), total_steps)
        wanted = [run for run in product(tasks, [*ARMS, *ABLATIONS], seeds) if run not in there]
        jobs = [partial(carry_on, *run, total_steps, runs) for run in wanted]
        with results.keeping(runs):
            study.carry_out(ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")), jobs)
    print(table(results.runs(), tasks))


if __name__ == "__main__":
    start(main)
