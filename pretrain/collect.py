"""The embedded default: a robot's bundled policies rolled out into a real Minari dataset, `<namespace>/bundled-v0`.

    python pretrain/collect.py mujoco/hopper

Each episode is played by one cell of (policy, action noise), or uniformly at random: always by the cell that has the
fewest steps so far, so that the quality is mixed evenly by steps, however short the episodes of bad policies are.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

if not __package__:
    # Run as a script: import from the checkout, not from this folder.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import gymnasium as gym
import jsonargparse
import minari
import numpy as np
from minari.data_collector.episode_buffer import EpisodeBuffer
from minari.dataset.minari_storage import MinariStorage
from minari.namespace import create_namespace, list_local_namespaces
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from diffsr_hub.data.ids import BUNDLED
from diffsr_hub.data.source import datasets_root
from diffsr_hub.data.versions import software
from diffsr_hub.errors import UserError, exit_codes, unknown
from pretrain import behaviour
from pretrain.behaviour import NOISE_LEVELS, Episode, LinearPolicy, Record, rollout

_NAMESPACE = "mujoco"
_EPISODE_OVERHEAD = 1 << 15  # bytes; HDF5's own, twice what was measured
_ZEROS = bytes(1 << 20)

Say = Callable[[str], None]


@dataclass
class Cell:
    """One way to behave, and what it has contributed so far."""

    policy: LinearPolicy | None
    """None acts uniformly at random"""
    noise: float
    episodes: int = 0
    steps: int = 0
    total_return: float = 0.0

    @property
    def name(self) -> str:
        """Of the policy."""
        return "random" if self.policy is None else self.policy.name

    def add(self, episode: Episode) -> None:
        """Count one episode."""
        self.episodes += 1
        self.steps += len(episode.rewards)
        self.total_return += float(episode.rewards.sum())

    def summary(self) -> dict[str, Any]:
        """As JSON-able facts; there is no mean return without an episode."""
        mean = round(self.total_return / self.episodes, 1) if self.episodes else None
        share = {"episodes": self.episodes, "steps": self.steps, "mean_return": mean}
        return {"policy": self.name, "noise": self.noise, **share}


def collect(namespace: str, *, steps: int = 100_000, seed: int = 0, overwrite: bool = False, say: Say = print) -> str:
    """Roll out the bundled policies of a robot into the Minari dataset `<namespace>/bundled-v0`.

    The same seed gives the same arrays, bit for bit, on one machine. There is never half a dataset.

    Args:
        namespace: the robot, such as mujoco/hopper.
        steps: environment steps; the last episode is finished, so there are a few more.
        seed: of everything random.
        overwrite: replace the dataset if it exists.
        say: takes each line that the user should see.

    Returns:
        The dataset's id.

    Raises:
        UserError: no policies are bundled for this robot, a number makes no sense, the dataset exists, or the folder
            cannot be written.
    """
    record = _record(namespace)
    if steps < 1 or seed < 0:
        raise UserError(f"steps must be at least 1 and the seed at least 0, not {steps} and {seed}")
    identifier = f"{namespace}/{BUNDLED}-v0"
    place = datasets_root() / identifier
    if place.exists() and not overwrite:
        raise UserError(f"dataset {identifier} exists in {datasets_root()}: --overwrite replaces it")
    with _disk_errors():
        datasets_root().mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=datasets_root()).close()  # an unwritable folder is found out now, not at the end
    command = f"diffsr collect {namespace} --steps {steps} --seed {seed}"
    with closing(gym.make(record.env)) as env:
        episodes, cells = _roll_out(env, record, steps, seed)
        facts = _describe(record, cells, command) | {"dataset_id": identifier}
        with _disk_errors(), tempfile.TemporaryDirectory(prefix=".collecting-", dir=datasets_root()) as work:
            _write(Path(work) / BUNDLED, env, episodes, facts)
            _publish(Path(work) / BUNDLED, namespace, place, overwrite=overwrite)
    _report(identifier, [episode for _, episode in episodes], say)
    return identifier


def _record(namespace: str) -> Record:
    top, _, robot = namespace.rpartition("/")
    if top != _NAMESPACE or robot not in behaviour.robots():
        known = [f"{_NAMESPACE}/{name}" for name in behaviour.robots()]
        raise unknown("bundled robot", namespace, known)
    return behaviour.load(robot)


def _roll_out(
    env: gym.Env[Any, Any], record: Record, steps: int, seed: int
) -> tuple[list[tuple[Cell, Episode]], list[Cell]]:
    rng = np.random.default_rng(seed)
    cells = [Cell(None, 0.0), *(Cell(policy, noise) for noise in NOISE_LEVELS for policy in record.policies)]
    episodes: list[tuple[Cell, Episode]] = []
    done = 0
    with _progress() as progress:
        bar = progress.add_task(record.env, total=steps, speed=0.0)
        while done < steps:
            cell = min(cells, key=lambda cell: cell.steps)
            episode = rollout(env, cell.policy, cell.noise, rng)
            cell.add(episode)
            episodes.append((cell, episode))
            done += len(episode.rewards)
            progress.update(bar, completed=min(done, steps), speed=progress.tasks[bar].speed or 0.0)
    return episodes, cells


def _progress() -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("steps, {task.fields[speed]:,.0f}/s, left"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_interactive,
    )


def _describe(record: Record, cells: Sequence[Cell], command: str) -> dict[str, Any]:
    """Minari's metadata, and under `behaviour` who collected how much of it."""
    best, used = record.policies[0], software()
    return {
        "algorithm_name": f"{record.algorithm} at mixed quality, and uniformly random actions",
        "author": {"diffsr-hub"},
        "code_permalink": f"pretrain/collect.py of diffsr-hub {used['diffsr-hub']}, commit {used['git_commit']}",
        "description": (
            f"{record.env} played by the linear policies that ship with diffsr-hub, with Gaussian action noise of "
            f"{', '.join(map(str, NOISE_LEVELS))} half action ranges, and by uniformly random actions; balanced by "
            "steps from near-random to the best."
        ),
        "requirements": [f"{package}=={version(package)}" for package in ("mujoco", "gymnasium")],
        "ref_min_score": record.random_return,
        "ref_max_score": best.returns["0.0"],
        "num_episodes_average_score": record.episodes,
        "minari_version": minari.__version__,
        "behaviour": {
            "command": command,
            "search": record.command,
            "software": used,
            "cells": [cell.summary() for cell in cells],
        },
    }


def _write(
    folder: Path, env: gym.Env[Any, Any], episodes: Sequence[tuple[Cell, Episode]], facts: dict[str, Any]
) -> None:
    """Write the dataset into a folder of our choice.

    Through Minari's storage, as `minari.create_dataset_from_buffers` only writes in place, where others see half of it.
    """
    folder.mkdir()
    _check_space(folder / "probe", [episode for _, episode in episodes])
    storage = MinariStorage.new(folder / "data", env.observation_space, env.action_space, env.spec)
    storage.update_metadata(facts)
    storage.update_episodes(EpisodeBuffer(id=i, **episode._asdict()) for i, (_, episode) in enumerate(episodes))
    storage.update_episode_metadata({"policy": cell.name, "noise": cell.noise} for cell, _ in episodes)


def _check_space(probe: Path, episodes: Sequence[Episode]) -> None:
    """Fill a file as large as the dataset may get: HDF5 meets a full disk with hundreds of tracebacks and a crash."""
    payload = sum(column.nbytes for episode in episodes for column in episode[1:])
    with probe.open("wb") as file:
        for _ in range((2 * payload + _EPISODE_OVERHEAD * len(episodes)) // len(_ZEROS) + 1):
            file.write(_ZEROS)
    probe.unlink()


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = str(error.strerror or error).splitlines()[0]
        raise UserError(
            f"cannot write the dataset in {datasets_root()} ({reason}): "
            "free some space there, or set MINARI_DATASETS_PATH"
        ) from error


def _publish(folder: Path, namespace: str, place: Path, *, overwrite: bool) -> None:
    """Rename the dataset into its place, unless another process was first."""
    if namespace not in list_local_namespaces():
        create_namespace(namespace)
    if place.exists() and overwrite:
        place.rename(folder.with_name("replaced"))
    if not place.exists():
        folder.rename(place)


def _report(identifier: str, episodes: Sequence[Episode], say: Say) -> None:
    returns = [episode.rewards.sum() for episode in episodes]
    steps = sum(len(episode.rewards) for episode in episodes)
    quantiles = "  ".join(f"{value:,.0f}" for value in np.quantile(returns, [0, 0.25, 0.5, 0.75, 1]))
    say(f"{identifier}: {len(episodes):,} episodes, {steps:,} steps")
    say(f"episode returns at 0, 25, 50, 75 and 100 %: {quantiles}")
    say(f"in {datasets_root() / identifier}")


@exit_codes()
def main(argv: Sequence[str] | None = None) -> None:
    """Collect from the command line.

    Args:
        argv: the arguments; None for the process's own.
    """
    parser = jsonargparse.ArgumentParser(
        prog="diffsr collect",
        description="Roll out a robot's bundled policies into the Minari dataset NAMESPACE/bundled-v0. "
        f"Robots: {', '.join(f'{_NAMESPACE}/{robot}' for robot in behaviour.robots())}.",
        allow_abbrev=False,
    )
    parser.add_function_arguments(collect, as_group=False, as_positional=True, skip={"overwrite", "say"})
    parser.add_argument("--overwrite", action="store_true", help="replace the dataset if it exists")
    arguments = parser.parse_args(None if argv is None else list(argv))
    print("next: diffsr pretrain --dataset", collect(**arguments.as_dict()))


if __name__ == "__main__":
    main()
