"""What encoders of many Meta-World tasks save on others: tasks × arms × seeds, raw learning curves, a table, a picture.

    python benchmarks/studies/meta_world.py          # does what is missing, then compares; goes on where it stopped
    python benchmarks/studies/meta_world.py --train false  # the comparison alone, from the raw results that are kept
    python benchmarks/studies/meta_world.py --tasks hammer --only demonstrations,pretrained-demonstrations --seeds "[0]"
    python benchmarks/studies/meta_world.py --tasks hammer,sweep --arms benchmarks/studies/arms/metaworld_groups.yaml

The arms are in arms/metaworld.yaml. Their encoders are runs/encoders/DATASET-SEED, with - for / in the name of the
dataset, and pretrained with that seed: of a task's own data (metaworld/hammer-v3), of a group (metaworld/ml45-train),
or of a group without the task (metaworld/mt50-without-hammer-v3). What is missing of them and of their data is made
here.

Kept of a run: its evaluations with every episode, a line of results/metaworld.jsonl; of one with demonstrations, in a
task of Diff-SR's paper, also how its agent fares on all fifty goals. The cards of the encoders of
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

from benchmarks.program import ROOT, start
from benchmarks.studies import study
from benchmarks.studies.official_goals import GOALS, KEY, PAPER, evaluate, table
from benchmarks.studies.results import Results, draw_matrix, runs_beside, write_saved
from diffsr_hub.data.minari.ids import BUNDLED, bundled
from diffsr_hub.data.minari.source import local_datasets
from diffsr_hub.errors import unknown
from diffsr_hub.files.atomic import write_text
from diffsr_hub.studies.compare_verb import write_comparison
from diffsr_hub.studies.comparison import compare
from diffsr_hub.studies.measure import SUCCESS
from diffsr_hub.studies.recorded_runs import Run
from diffsr_hub.suites.meta_world.names import NAMESPACE
from diffsr_hub.suites.meta_world.suite import META_WORLD
from finetune.config import SCRATCH
from finetune.sweep.plan import PlannedRun, Settings, plan, read_arms
from pretrain.collect import collect

RESULTS = Results("metaworld")
TASKS = "door-close,button-press,window-close,door-open"
ENOUGH = 0.5
"""the success rate of which it is counted how many steps it took"""
EVALUATE_EVERY = 3_000
"""steps: an evaluation of ten episodes takes 5,000"""
ARMS = study.ARMS / "metaworld.yaml"
GROUPS = study.ARMS / "metaworld_groups.yaml"
ABOUT = {
    "command": "python benchmarks/studies/meta_world.py --tasks door-close,window-close "
    "--arms benchmarks/studies/arms/metaworld_groups.yaml",
    "source": "docs/metaworld_study.md",
    "measure": SUCCESS.title,
    "threshold": ENOUGH,
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
    return META_WORLD.members(f"{NAMESPACE}/{task.strip().removeprefix(f'{NAMESPACE}/').removesuffix('-v3')}-v3")[0]


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
    return sorted({task for word in words if word for task in META_WORLD.members(word)})


def main(
    tasks: str = TASKS,
    arms: Path = ARMS,
    only: str = "",
    seeds: Sequence[int] = (0, 1, 2),
    total_steps: int = 30_000,
    collect_steps: int = 25_000,
    pretrain_steps: int = 20_000,
    runs: Path = Path("runs/metaworld"),
    workers: int = 2,
    train: bool = True,
    root: Path = ROOT,
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
        workers: Runs at a time.
        train: Whether to train, or only to compare what is kept.
        root: The folder whose results/, docs/generated/ and model_cards/ are written.
    """
    results = Results("metaworld", root)
    if train:
        names, selected = [full_name(task) for task in tasks.split(",")], chosen(read_arms(arms), only)
        planned = plan(names, selected, seeds, runs, {})
        provide(planned, collect_steps, pretrain_steps, workers)
        runs.mkdir(parents=True, exist_ok=True)
        write_text(runs / "arms.yaml", yaml.safe_dump(selected, sort_keys=False))
        with results.keeping(runs, {KEY: GOALS}):
            every = {"total_steps": total_steps, "eval_every": EVALUATE_EVERY, "average_policy": True}
            study.sweep(names, runs / "arms.yaml", seeds, runs, workers=workers, **every)
            shown = [run for run in planned if run.env in PAPER and run.arm in PARTS[DEMONSTRATIONS]]
            study.carry_out(ThreadPoolExecutor(workers), [partial(evaluate, run) for run in shown])
    write_up(results, total_steps)


def provide(planned: Sequence[PlannedRun], collect_steps: int, pretrain_steps: int, workers: int) -> None:
    """Collect the data and train the encoders that runs need and that are missing."""
    there = local_datasets()
    for task in tasks_with_data(planned):
        if bundled(task) not in there:
            collect(task, steps=collect_steps, processes=workers)
    steps = ("--max_steps", str(pretrain_steps), "--tiers", BUNDLED)
    needed = [partial(study.pretrain, e.dataset, e.seed, e.run_dir, *steps) for e in encoders(planned)]
    study.carry_out(ThreadPoolExecutor(workers), needed)


def write_up(results: Results, total_steps: int) -> None:
    """Compare what is kept: tables and pictures of every part, the matrices, and what the cards' encoders saved."""
    runs = results.runs()
    for part in PARTS:
        compare_part(part, results, runs)
    if any(run.arm == DEMONSTRATIONS for run in runs):
        write_text(results.shown / DEMONSTRATIONS / "goals.md", table(results.records(), PARTS[DEMONSTRATIONS]))
    draw_matrix([*read_arms(ARMS), *read_arms(GROUPS)], results)
    draw_matrix(PARTS[OWN], results, reference=OWN)
    draw_matrix(["frozen", "finetuned"], results, reference="random")
    tasks = compare(runs, measure=SUCCESS.name, threshold=ENOUGH).tasks
    for card, special in RELEASED.items():
        found = [task for task in tasks if next(iter(special)) in {arm.name for arm in task.arms}]
        about = {**ABOUT, "total_steps": total_steps, "arms": ALWAYS | special}
        write_saved(results.cards / card, about, found)


def compare_part(part: str, results: Results, runs: Sequence[Run]) -> None:
    """Compare the arms of one part in the tasks that have runs of the arm that it is named after."""
    tasks, arms = runs_beside(part, PARTS[part], runs)
    if tasks:
        write_comparison(
            [results.file],
            results.shown / part,
            tasks=tasks,
            arms=arms,
            reference=PARTS[part][0] if PARTS[part][0] in arms else None,
            measure=SUCCESS.name,
            threshold=ENOUGH,
        )


if __name__ == "__main__":
    start(main)
