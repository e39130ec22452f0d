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

import json
import multiprocessing
import os
import random
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import lightning as L
import numpy as np
import torch
from jsonargparse import auto_cli
from torch import Tensor

from benchmarks.studies import study
from benchmarks.studies.meta_world import KEPT, full_name
from diffsr_hub.data import Episodes, load
from diffsr_hub.data.minari.ids import bundled
from diffsr_hub.data.minari.source import datasets_root, local_datasets, open_source
from diffsr_hub.diagnostics import random_encoder
from diffsr_hub.diagnostics.heldout import draw_sample
from diffsr_hub.diagnostics.level_loss import marginal_gaussian, mean_squared_residual
from diffsr_hub.diagnostics.ridge import Standard, ridge_probe
from diffsr_hub.errors import UserError, exit_codes
from diffsr_hub.files.atomic import write_json, write_text
from diffsr_hub.model.encoder import DiffSR
from diffsr_hub.presentation.picture import write_picture
from diffsr_hub.saved.file_names import CONFIG
from diffsr_hub.studies.statistics import Estimate, estimate
from diffsr_hub.suites.meta_world.environment import EPISODE_STEPS
from diffsr_hub.suites.meta_world.names import members
from pretrain import fit
from pretrain.behaviour.scripted import NOISE_LEVELS
from pretrain.collect import collect
from pretrain.config import PretrainConfig
from pretrain.run_folder import RunFolder

GROUP = "metaworld/ml45-train"
PROBES = "bin-picking,door-lock,door-close,window-close"
WAYS = 1 + len(NOISE_LEVELS)
"""to behave, which take turns in a dataset: the first episodes have equal shares of them if these are a multiple"""
HELD_OUT = 5
"""episodes of a task at least that its encoders do not learn from, for the curves of their validation"""
Row = dict[str, Any]
COLUMNS: dict[str, Callable[[Row], float]] = {
    "change: ψ": lambda row: row["probes"]["change"]["psi"],
    "change: random ψ": lambda row: row["probes"]["change"]["random_psi"],
    "change: (s, a)": lambda row: row["probes"]["change"]["raw"],
    "reward: ψ": lambda row: row["probes"]["reward"]["psi"],
    "reward: random ψ": lambda row: row["probes"]["reward"]["random_psi"],
    "reward: (s, a)": lambda row: row["probes"]["reward"]["raw"],
    # The loss is in units of each encoder's own statistics; so is what it is divided by.
    "score loss ÷ without (s, a)": lambda row: row["loss"]["encoder"] / row["loss"]["without_state_action"],
}
PANELS = {
    "R² of the change of state": tuple(COLUMNS)[:3],
    "R² of the reward": tuple(COLUMNS)[3:6],
    "score loss ÷ without (s, a)": tuple(COLUMNS)[6:],
}
LOOKS = (("ψ", "#0072B2"), ("untrained ψ", "#E69F00"), ("(s, a)", "#000000"))
FRAME = 18
"""numbers of a state that are new; then come those of the frame before, and the goal"""
SMALLEST_CHANGE = 1e-4
"""standard deviation per step of a number that moves: 0.1 mm, where the hand's is 2 mm"""
FARTHEST = 10.0
"""standard deviations: a linear probe is not asked about inputs farther from what it was fitted on"""


class Size(NamedTuple):
    """What an encoder learns from."""

    tasks: tuple[str, ...]
    episodes: int
    """of each task, the first ones"""
    own: bool
    """whether it is the encoder of one probe task"""

    @property
    def name(self) -> str:
        """Of its folder."""
        first = self.tasks[0].rpartition("/")[2] if self.own else str(len(self.tasks))
        return f"{first}-x{self.episodes}"


@cache
def order() -> tuple[str, ...]:
    """The tasks of the group in the order in which they are taken."""
    tasks = list(members(GROUP))
    random.Random(0).shuffle(tasks)
    return tuple(tasks)


def sizes(counts: Sequence[int], episodes: Sequence[int], total: int, probes: Sequence[str]) -> list[Size]:
    """All that is compared, each once.

    Args:
        counts: Numbers of tasks, of `total` episodes together.
        episodes: Of each task of the largest number.
        total: Episodes.
        probes: The tasks that have an encoder of their own, of `total` episodes.

    Raises:
        UserError: There are not as many tasks, or the episodes would not have equal shares of the ways to behave.
    """
    if not counts or min(*counts, *episodes, total) < 1:
        raise UserError(f"tasks, episodes and total are at least 1, not {counts}, {episodes} and {total}")
    if max(counts) > len(order()):
        raise UserError(f"there are {len(order())} tasks in {GROUP}, not {max(counts)}")
    pairs = [(count, total // count) for count in counts] + [(max(counts), number) for number in episodes]
    if any(total % (count * WAYS) for count in counts) or any(number % WAYS for number in episodes):
        raise UserError(f"a task needs a multiple of {WAYS} episodes: not so of {total} by {counts}, or not {episodes}")
    found = [Size(order()[:count], number, own=False) for count, number in dict.fromkeys(pairs)]
    return found + [Size((probe,), total, own=True) for probe in probes]


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


def first_episodes(episodes: Episodes, count: int) -> tuple[Tensor, Tensor]:
    """The first `count` episodes of every task, and the `HELD_OUT` after them: two int64 tensors of episode numbers."""
    of_tasks = episodes.episodes_by_task(torch.arange(episodes.num_episodes))
    return torch.cat([ids[:count] for ids in of_tasks]), torch.cat([ids[count : count + HELD_OUT] for ids in of_tasks])


def pretrain(size: Size, seed: int, updates: int, place: Path, datasets: Path | None) -> None:
    """Train one encoder, or go on with it."""
    folder = RunFolder(place)
    torch.set_num_threads(1)
    fit.quieten_lightning()
    names = [bundled(task) for task in size.tasks]
    if datasets is None:
        episodes = load(names)
    else:
        with datasets_in(datasets):
            episodes = load(names)
    learned, held_out = first_episodes(episodes, size.episodes)
    config = PretrainConfig(
        dataset=",".join(names), seed=seed, max_steps=updates, validate_every=updates, progress=False, download=False
    )
    config = replace(config, resume=place) if folder.dataset.is_file() else replace(config, run_dir=place)
    L.seed_everything(seed, verbose=False)
    module = fit.build_module(config, fit.build_model(config, episodes, learned))
    data = fit.build_data(config, module.model, episodes, learned, held_out)
    seconds = fit.train(config, folder, module, data)
    module.model.cpu().eval().save_pretrained(folder.encoder)
    print(f"{size.name} seed {seed}: {updates:,} updates, {seconds:.0f} s", flush=True)


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


@torch.no_grad()
def knowledge(model: DiffSR, episodes: Episodes, fitting: Tensor, measuring: Tensor, seed: int) -> Row:
    """What an encoder knows of one task: R² of linear probes, fitted on some episodes, on others; its loss there.

    The untrained network beside it has weights of the given seed.
    """
    rival = random_encoder(model, seed)
    samples = [
        draw_sample(episodes, ids, limit=20_000, discount=0.99, seed=number)
        for number, ids in enumerate((fitting, measuring))
    ]
    batches = [sample.batch for sample in samples]
    change = batches[0].next_obs - batches[0].obs
    moving = (change[:, :FRAME].std(0) > SMALLEST_CHANGE).nonzero().squeeze(-1)
    inputs = {
        "psi": [model.psi(batch.obs, batch.action) for batch in batches],
        "random_psi": [rival.psi(batch.obs, batch.action) for batch in batches],
        "raw": [torch.cat([batch.obs, batch.action], dim=-1) for batch in batches],
    }
    targets = {
        "change": [(batch.next_obs - batch.obs)[:, moving] for batch in batches],
        "reward": [batch.reward.unsqueeze(-1) for batch in batches],
    }
    next_obs = [model.normalize(batch.next_obs) for batch in batches]
    losses = {
        "encoder": mean_squared_residual(model, samples[1].thin(4_096), seed=0),
        "without_state_action": marginal_gaussian(*next_obs).loss(model.schedule.beta),
    }
    return {
        "moving": moving.tolist(),
        "probes": {name: {which: probe_r2(x, y) for which, x in inputs.items()} for name, y in targets.items()},
        "loss": {name: float(table[:, moving].mean()) for name, table in losses.items()},
    }


def probe_r2(inputs: Sequence[Tensor], targets: Sequence[Tensor]) -> float:
    """R² of a linear probe on the second of two samples, fitted on the first."""
    standard = Standard(inputs[0])
    x, y = (standard(each).clamp(-FARTHEST, FARTHEST) for each in inputs)
    return ridge_probe((x, targets[0]), (y, targets[1]))


class Line(NamedTuple):
    """One size of what was learned from, on some probe tasks."""

    own: bool
    tasks: int
    transitions: int
    seen: str
    """how many of the probe tasks are among those learned from"""
    values: dict[str, Estimate]
    """of each of `COLUMNS`: over seeds, of the mean over the probe tasks"""


def summary(rows: Sequence[Row]) -> list[Line]:
    """The lines of a table: the tasks' own encoders first, then by tasks and transitions."""
    found = []
    for own, tasks, transitions in sorted({(not row["own"], row["tasks"], row["transitions"]) for row in rows}):
        these = [row for row in rows if (not row["own"], row["tasks"], row["transitions"]) == (own, tasks, transitions)]
        of_seeds = [[row for row in these if row["seed"] == seed] for seed in sorted({row["seed"] for row in these})]
        values = {
            name: estimate([float(np.mean([read(row) for row in of_seed])) for of_seed in of_seeds])
            for name, read in COLUMNS.items()
        }
        probes = {row["probe"]: row["seen"] for row in these}
        found.append(Line(not own, tasks, transitions, f"{sum(probes.values())} of {len(probes)}", values))
    return found


def table(rows: Sequence[Row]) -> str:
    """Markdown: one table for the probe tasks that no encoder of many learned from, one for the others if there are."""
    titles = ["learned from", "transitions", "probe tasks among them", *COLUMNS]
    texts = []
    for heading, chosen in by_novelty(rows).items():
        lines = [f"**{heading}**", "", f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
        for line in summary(chosen):
            name = "the task itself" if line.own else f"{line.tasks} tasks"
            cells = [name, f"{line.transitions:,}", line.seen, *(f"{value:.3g}" for value in line.values.values())]
            lines.append(f"| {' | '.join(cells)} |")
        texts.append("\n".join(lines))
    return "\n\n".join(texts) + "\n"


def by_novelty(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows by whether some encoder of many tasks learned from the probe task, with headings."""
    seen = {row["probe"] for row in rows if row["seen"] and not row["own"]}
    parts = {
        "Tasks of which the encoders of many have seen nothing": [row for row in rows if row["probe"] not in seen],
        "Tasks that encoders of many learned from, other episodes": [row for row in rows if row["probe"] in seen],
    }
    return {heading: part for heading, part in parts.items() if part}


def draw(rows: Sequence[Row], file: Path) -> None:
    """Write the picture: a row for each quantity, the two axes side by side; the tasks' own encoders as a line."""
    from matplotlib.figure import Figure

    heading, of_probes = next(iter(by_novelty(rows).items()))
    lines = summary(of_probes)
    own, many = [line for line in lines if line.own], [line for line in lines if not line.own]
    most = max(line.tasks for line in many)
    equal = own[0].transitions
    axes_of = {
        f"tasks, {equal:,} transitions in all": [(line.tasks, line) for line in many if line.transitions == equal],
        f"transitions, of {most} tasks in all": [(line.transitions, line) for line in many if line.tasks == most],
    }
    figure = Figure(figsize=(9, 3 * len(PANELS)), layout="constrained")
    panels = figure.subplots(len(PANELS), 2, sharey="row")
    for row, (title, names) in zip(panels, PANELS.items(), strict=True):
        for axes, (label, points) in zip(row, axes_of.items(), strict=True):
            for name, (which, color) in zip(names, LOOKS, strict=False):
                x, values = [size for size, _ in points], [line.values[name] for _, line in points]
                axes.plot(x, [value.centre for value in values], "o-", color=color, label=which)
                if all(value.low is not None for value in values):
                    low, high = [value.low for value in values], [value.high for value in values]
                    axes.fill_between(x, low, high, color=color, alpha=0.15, linewidth=0)
            of_own = own[0].values[names[0]]
            axes.axhline(of_own.centre, color="#009E73", linestyle="--", label="the task's own ψ")
            if of_own.low is not None and of_own.high is not None:
                axes.axhspan(of_own.low, of_own.high, color="#009E73", alpha=0.1, linewidth=0)
            axes.set(xlabel=label, ylabel=title, xscale="log", yscale="linear" if title.startswith("R²") else "log")
            axes.set_xticks([size for size, _ in points], [f"{size:,}" for size, _ in points])
            axes.set_xticks([], minor=True)
        row[0].legend(frameon=False)
    names_of_probes = ", ".join(sorted({row["probe"].rpartition("/")[2] for row in of_probes}))
    figure.suptitle(f"{heading}: {names_of_probes}", fontsize=10)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_picture(figure, file)


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
        if not (place / "encoder" / CONFIG).is_file()
    ]
    measurements = {
        result_file(place, probe, measured): partial(measure, size, seed, place, probe, own_data, measured)
        for (size, seed), place in places.items()
        for probe in (size.tasks if size.own else probes)
    }
    missing = [job for file, job in measurements.items() if not file.is_file()]
    for jobs in (trainings, missing):
        study.carry_out(ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")), jobs)
    return [json.loads(file.read_text()) for file in measurements]


def main(
    tasks: Sequence[int] = (5, 15, 45),
    episodes: Sequence[int] = (5, 15, 45),
    total: int = 225,
    probes: str = PROBES,
    seeds: Sequence[int] = (0, 1, 2),
    updates: int = 10_000,
    measured: int = 50,
    runs: Path = Path("runs/scaling"),
    kept: Path = KEPT,
    workers: int = 2,
    train: bool = True,
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
        kept: Where scaling.json, scaling.md and scaling.png go.
        workers: Encoders at a time.
        train: Whether to train, or only to tabulate what is kept.
    """
    file = kept / "scaling.json"
    if train:
        names = [full_name(probe) for probe in probes.split(",")]
        found = sizes(tasks, episodes, total, names)
        kept.mkdir(parents=True, exist_ok=True)
        rows = carry_out(found, names, seeds, updates=updates, measured=measured, runs=runs, workers=workers)
        command = shlex.join(["python", "benchmarks/studies/scaling.py", *sys.argv[1:]])
        about = {"command": command, "updates": updates, "order": order()}
        write_json(file, about | {"rows": rows})
    rows = json.loads(file.read_text())["rows"]
    write_text(kept / "scaling.md", table(rows))
    draw(rows, kept / "scaling.png")
    print(table(rows))


if __name__ == "__main__":
    with exit_codes():
        auto_cli(main, as_positional=False)
