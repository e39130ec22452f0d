"""How what an encoder knows of a Meta-World task grows with the tasks and with the transitions that it learned from.

    python benchmarks/studies/scaling.py           # does what is missing, then tabulates; goes on where it stopped
    python benchmarks/studies/scaling.py --train false    # the table and the picture alone, from what is kept

Two axes: more tasks at equal transitions in all (the first of a fixed order of ml45-train, so that a larger set has the
smaller ones in it), and more transitions of the largest set. Beside them each probe task's own encoder, of as many
transitions. All encoders get equally many updates. Each is measured on episodes of the probe tasks that no encoder
learned from: linear probes and the score-matching loss, as diagnostics.json has them, but of the numbers that move and
are not known before. A state holds the frame before too, and of one task many numbers hardly vary: a quaternion whose
standard deviation is 0.00001 until an object is touched would decide the mean over all numbers.
"""

import multiprocessing
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import lightning as L
import torch

from benchmarks.program import ROOT, start
from benchmarks.studies import study
from benchmarks.studies.knowledge import knowledge
from benchmarks.studies.meta_world import full_name
from benchmarks.studies.results import Results, read
from benchmarks.studies.scaling_sizes import HELD_OUT, Size, first_episodes, order, sizes
from benchmarks.studies.scaling_table import Row, draw, table
from diffsr_hub.data import load
from diffsr_hub.data.minari.ids import bundled
from diffsr_hub.data.minari.source import datasets_root, local_datasets, open_source
from diffsr_hub.errors import UserError
from diffsr_hub.files.atomic import write_json, write_text
from diffsr_hub.model.encoder import DiffSR
from diffsr_hub.suites.meta_world.environment import EPISODE_STEPS
from pretrain import fit
from pretrain.collect import collect
from pretrain.config import PretrainConfig
from pretrain.run_folder import RunFolder

FILE = "results/scaling.json"
PROBES = "bin-picking,door-lock,door-close,window-close"


@contextmanager
def datasets_in(folder: Path) -> Iterator[None]:
    """Let Minari's datasets be there: those of the probe tasks are larger than the ones that users have."""
    before = os.environ.get("MINARI_DATASETS_PATH")
    os.environ["MINARI_DATASETS_PATH"] = str(folder.resolve())
    try:
        yield
    finally:
        del os.environ["MINARI_DATASETS_PATH"]
        if before is not None:
            os.environ["MINARI_DATASETS_PATH"] = before


def provide(task: str, episodes: int, workers: int) -> None:
    """Collect a dataset of so many episodes unless there is one of at least as many.

    Raises:
        UserError: There is a smaller one.
    """
    steps, name = episodes * EPISODE_STEPS, bundled(task)
    if name not in local_datasets():
        collect(task, steps=steps, processes=workers)
    elif (there := open_source(name).metadata["total_episodes"]) < episodes:
        command = f"MINARI_DATASETS_PATH={datasets_root()} diffsr collect {task} --steps {steps} --overwrite"
        raise UserError(
            f"{name} in {datasets_root()} has {there} episodes, {episodes} are needed: set MINARI_DATASETS_PATH to "
            f"another folder, or replace it: {command}"
        )


def pretrain(size: Size, seed: int, updates: int, place: Path, datasets: Path | None) -> None:
    """Train one encoder, or go on with it."""
    folder = RunFolder(place)
    torch.set_num_threads(1)
    fit.quieten_lightning()
    names = [bundled(task) for task in size.tasks]
    with datasets_in(datasets) if datasets else nullcontext():
        episodes = load(names)
    learned, held_out = first_episodes(episodes, size.episodes)
    config = PretrainConfig(
        dataset=",".join(names), seed=seed, max_steps=updates, validate_every=updates, progress=False, download=False
    )
    config = replace(config, resume=place) if folder.dataset.is_file() else replace(config, run_dir=place)
    L.seed_everything(seed, verbose=False)
    module = fit.build_module(config, fit.build_model(config, episodes, learned))
    data = fit.build_data(config, module.model, episodes, learned, held_out)
    with folder.in_use(config, episodes.provenance, fit.steps_made(folder)):
        trained = fit.train(fit.build_trainer(config, folder), folder, module, data)
        module.model.cpu().eval().save_pretrained(folder.encoder)
    print(f"{size.name} seed {seed}: {updates:,} updates, {trained.seconds:.0f} s", flush=True)


def result_file(place: Path, probe: str, count: int) -> Path:
    return place / f"{probe.rpartition('/')[2]}-{count}.json"


def measure(size: Size, seed: int, place: Path, probe: str, datasets: Path, count: int) -> None:
    """Measure one encoder on a probe task: half of its last `count` episodes fit the linear probes."""
    torch.set_num_threads(1)
    with datasets_in(datasets):
        episodes = load([bundled(probe)])
    fitting, measuring = torch.arange(episodes.num_episodes)[-count:].tensor_split(2)
    model = DiffSR.from_pretrained(place / "encoder")
    row = {
        "probe": probe,
        "seed": seed,
        "tasks": len(size.tasks),
        "transitions": len(size.tasks) * size.episodes * EPISODE_STEPS,
        "own": size.own,
        "seen": probe in size.tasks,
    }
    found = knowledge(model, episodes, fitting, measuring, seed)
    write_json(result_file(place, probe, count), row | found)


def carry_out(
    found: Sequence[Size],
    probes: Sequence[str],
    seeds: Sequence[int],
    *,
    updates: int,
    measured: int,
    runs: Path,
    workers: int,
) -> list[Row]:
    """Collect, train and measure what is missing; the measurements of all."""
    many, own_data = [size for size in found if not size.own], runs / "datasets"
    for task in dict.fromkeys(task for size in many for task in size.tasks):
        provide(task, max(size.episodes for size in many if task in size.tasks) + HELD_OUT, workers)
    with datasets_in(own_data):
        for probe in probes:
            provide(probe, max(size.episodes for size in found if size.own) + measured, workers)
    places = {(size, seed): runs / f"{size.name}-{updates}" / f"seed-{seed}" for seed in seeds for size in found}
    trainings = [
        partial(pretrain, size, seed, updates, place, own_data if size.own else None)
        for (size, seed), place in places.items()
        if not study.is_pretrained(place)
    ]
    measurements = {
        result_file(place, probe, measured): partial(measure, size, seed, place, probe, own_data, measured)
        for (size, seed), place in places.items()
        for probe in (size.tasks if size.own else probes)
    }
    missing = [job for file, job in measurements.items() if not file.is_file()]
    for jobs in (trainings, missing):
        study.carry_out(ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")), jobs)
    return [read(file) for file in measurements]


def main(
    tasks: Sequence[int] = (5, 15, 45),
    episodes: Sequence[int] = (5, 15, 45),
    total: int = 225,
    probes: str = PROBES,
    seeds: Sequence[int] = (0, 1, 2),
    updates: int = 10_000,
    measured: int = 50,
    runs: Path = Path("runs/scaling"),
    workers: int = 2,
    train: bool = True,
    root: Path = ROOT,
) -> None:
    """Train and measure what is missing, keep the results, print the table.

    Args:
        tasks: Numbers of tasks that share `total` episodes.
        episodes: Of each of the most tasks.
        total: Episodes, of 500 steps each; a probe task's own encoder has as many.
        probes: Tasks on which the encoders are measured, separated by commas.
        seeds: Of the encoders.
        updates: Of each encoder.
        measured: Episodes of each probe task, after those that its own encoder learns from.
        runs: Where the encoders and the data of the probe tasks go.
        workers: Encoders at a time.
        train: Whether to train, or only to tabulate what is kept.
        root: The folder whose results/ and docs/generated/ are written.
    """
    file, shown = root / FILE, Results("scaling", root).shown
    if train:
        names = [full_name(probe) for probe in probes.split(",")]
        found = sizes(tasks, episodes, total, names)
        rows = carry_out(found, names, seeds, updates=updates, measured=measured, runs=runs, workers=workers)
        command = shlex.join(["python", "benchmarks/studies/scaling.py", *sys.argv[1:]])
        about = {"command": command, "updates": updates, "order": order()}
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, about | {"rows": rows})
    rows = read(file)["rows"]
    shown.mkdir(parents=True, exist_ok=True)
    write_text(shown / "scaling.md", table(rows))
    draw(rows, shown / "scaling.png")
    print(table(rows))


if __name__ == "__main__":
    start(main)
