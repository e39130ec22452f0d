"""What encoders of many Meta-World tasks save on others: tasks × arms × seeds, raw learning curves, a table, a picture.

    python benchmarks/studies/meta_world.py          # does what is missing, then compares; goes on where it stopped
    python benchmarks/studies/meta_world.py --train false  # the comparison alone, from the raw results that are kept
    python benchmarks/studies/meta_world.py --tasks hammer --only demonstrations,pretrained-demonstrations --seeds "[0]"
    python benchmarks/studies/meta_world.py --tasks hammer,sweep --arms benchmarks/studies/metaworld_groups.yaml

The arms are in metaworld.yaml. Their encoders are runs/encoders/DATASET-SEED, with - for / in the name of the dataset,
and pretrained with that seed: of a task's own data (metaworld/hammer-v3), of a group (metaworld/ml45-train), or of a
group without the task (metaworld/mt50-without-hammer-v3). What is missing of them and of their data is made here.

Kept of a run: its evaluations with every episode, in docs/results/metaworld/TASK/ARM/seed-N; of one with
demonstrations, in a task of Diff-SR's paper, also how its agent fares on all fifty goals. The cards of the encoders of
groups in model_cards/ get what these saved.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import yaml
from jsonargparse import auto_cli

from benchmarks.studies import study
from benchmarks.studies.official_goals import GOALS, PAPER, evaluate, table
from diffsr_hub.data.minari.ids import BUNDLED, bundled
from diffsr_hub.data.minari.source import local_datasets
from diffsr_hub.errors import exit_codes, unknown
from diffsr_hub.files.atomic import write_text
from diffsr_hub.studies.compare_verb import write_comparison
from diffsr_hub.studies.comparison import compare
from diffsr_hub.studies.recorded_runs import read_runs
from diffsr_hub.suites.meta_world.names import NAMESPACE, members
from finetune.config import SCRATCH
from finetune.sweep.plan import PlannedRun, Settings, plan, read_arms
from pretrain.collect import collect

KEPT = study.ROOT / "docs" / "results" / "metaworld"
TASKS = "door-close,button-press,window-close,door-open"
SUCCESS = 0.5
"""the success rate of which it is counted how many steps it took"""
EVALUATE_EVERY = 3_000
"""steps: an evaluation of ten episodes takes 5,000"""
ARMS = study.STUDIES / "metaworld.yaml"
GROUPS = study.STUDIES / "metaworld_groups.yaml"
ABOUT = {
    "command": "python benchmarks/studies/meta_world.py --tasks door-close,window-close "
    "--arms benchmarks/studies/metaworld_groups.yaml",
    "source": "docs/metaworld_study.md",
    "measure": "success rate",
    "threshold": SUCCESS,
}
OWN, DEMONSTRATIONS = "own", "demonstrations"
PARTS = {
    "frozen": ("scratch", "random", "frozen", "finetuned"),
    DEMONSTRATIONS: ("demonstrations", "pretrained-demonstrations", "successes", "pretrained-successes"),
    OWN: (OWN, "ml45", "frozen", "ml10", "random"),
}
"""comparisons by the arm whose tasks they have: the arms they show, the first of which the others are held against"""
RELEASED = {
    "metaworld-ml10": {"ml10": "this encoder as it is"},
    "metaworld-ml45": {
        "ml45": "this encoder as it is",
        "own": "the same of an encoder that learned from the task's own data alone",
        "frozen": "the same of an encoder that learned from the 49 other tasks",
    },
}
"""cards in model_cards/, and the arms with which they are compared"""
ALWAYS = {"scratch": "ψ learns from nothing", "random": "an untrained ψ, frozen: the control"}


class Encoder(NamedTuple):
    """One that an arm needs."""

    run_dir: Path
    dataset: str
    seed: int


def full_name(task: str) -> str:
    """`metaworld/hammer-v3`, also of `hammer`."""
    return members(f"{NAMESPACE}/{task.strip().removeprefix(f'{NAMESPACE}/').removesuffix('-v3')}-v3")[0]


def chosen(arms: Mapping[str, Settings], only: str) -> dict[str, Settings]:
    """The arms named in `only`, or all."""
    names = [name.strip() for name in only.split(",") if name.strip()] or list(arms)
    for name in names:
        if name not in arms:
            raise unknown("arm", name, arms)
    return {name: dict(arms[name]) for name in names}


def encoders(runs: Iterable[PlannedRun]) -> list[Encoder]:
    """What the runs need to be pretrained, each once."""
    found = {}
    for run in runs:
        source = Path(run.settings.get("encoder", SCRATCH))
        if source.name == "encoder":
            dataset = source.parent.name.removesuffix(f"-{run.seed}").replace(f"{NAMESPACE}-", f"{NAMESPACE}/", 1)
            found[source] = Encoder(source.parent, dataset, run.seed)
    return list(found.values())


def tasks_with_data(runs: Sequence[PlannedRun]) -> list[str]:
    """The tasks of which the runs need data, to pretrain encoders or as demonstrations."""
    words = {encoder.dataset for encoder in encoders(runs)}
    words |= {run.settings.get("offline_dataset", "").removesuffix(f"/{BUNDLED}-v0") for run in runs}
    return sorted({task for word in words if word for task in members(word)})


def main(
    tasks: str = TASKS,
    arms: Path = ARMS,
    only: str = "",
    seeds: Sequence[int] = (0, 1, 2),
    total_steps: int = 30_000,
    collect_steps: int = 25_000,
    pretrain_steps: int = 20_000,
    runs: Path = Path("runs/metaworld"),
    kept: Path = KEPT,
    workers: int = 2,
    train: bool = True,
) -> None:
    """Train, keep the raw results, compare.

    Args:
        tasks: Of Meta-World, separated by commas, such as hammer or metaworld/hammer-v3.
        arms: YAML file of arms.
        only: Which of them, separated by commas; empty for all.
        seeds: Of the runs and of their encoders.
        total_steps: Environment steps of every run.
        collect_steps: Of every dataset that is missing.
        pretrain_steps: Updates of every encoder that is missing.
        runs: Where the runs go.
        kept: Where the raw results and the comparison go.
        workers: Runs at a time.
        train: Whether to train, or only to compare what is kept.
    """
    if train:
        names, selected = [full_name(task) for task in tasks.split(",")], chosen(read_arms(arms), only)
        planned, there = plan(names, selected, seeds, runs, {}), local_datasets()
        for task in tasks_with_data(planned):
            if bundled(task) not in there:
                collect(task, steps=collect_steps, processes=workers)
        steps = ("--max_steps", str(pretrain_steps), "--tiers", BUNDLED)
        needed = [partial(study.pretrain, e.dataset, e.seed, e.run_dir, *steps) for e in encoders(planned)]
        study.carry_out(ThreadPoolExecutor(workers), needed)
        runs.mkdir(parents=True, exist_ok=True)
        write_text(runs / "arms.yaml", yaml.safe_dump(selected, sort_keys=False))
        try:
            every = {"total_steps": total_steps, "eval_every": EVALUATE_EVERY, "average_policy": True}
            study.sweep(names, runs / "arms.yaml", seeds, runs, workers=workers, **every)
            shown = [run for run in planned if run.env in PAPER and run.arm in PARTS[DEMONSTRATIONS]]
            study.carry_out(ThreadPoolExecutor(workers), [partial(evaluate, run) for run in shown])
        finally:
            study.keep(runs, kept, GOALS)
    write_up(kept, total_steps)


def write_up(kept: Path, total_steps: int) -> None:
    """Compare what is kept: tables and pictures of every part, the matrices, and what the cards' encoders saved."""
    for part, shown in PARTS.items():
        folders, arms = study.runs_beside(part, shown, kept)
        if folders:
            reference = shown[0] if shown[0] in arms else None
            write_comparison(
                folders, kept / part, arms=arms, reference=reference, measure="success_rate", threshold=SUCCESS
            )
    if (kept / DEMONSTRATIONS).is_dir():
        write_text(kept / DEMONSTRATIONS / "goals.md", table(kept, PARTS[DEMONSTRATIONS]))
    study.draw_matrix([*read_arms(ARMS), *read_arms(GROUPS)], kept)
    study.draw_matrix(PARTS[OWN], kept, reference=OWN)
    study.draw_matrix(["frozen", "finetuned"], kept, reference="random")
    if kept.resolve() == KEPT:
        tasks = compare(read_runs([kept]), measure="success_rate", threshold=SUCCESS).tasks
        for card, special in RELEASED.items():
            found = [task for task in tasks if next(iter(special)) in {arm.name for arm in task.arms}]
            about = {**ABOUT, "total_steps": total_steps, "arms": ALWAYS | special}
            study.write_saved(study.CARDS / card, about, found)


if __name__ == "__main__":
    with exit_codes():
        auto_cli(main, as_positional=False)
