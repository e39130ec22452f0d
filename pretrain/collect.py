"""The embedded default: behaviour that comes with the project, played into real Minari datasets, `NAME/bundled-vN`.

python pretrain/collect.py mujoco/hopper
python pretrain/collect.py metaworld/ml10-train
"""

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

if not __package__:
    # Run as a script: import from the checkout, not from this folder.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import jsonargparse
import minari
import numpy as np
from minari.data_collector.episode_buffer import EpisodeBuffer
from minari.dataset.minari_storage import MinariStorage
from minari.namespace import create_namespace, list_local_namespaces

from diffsr_hub.data.minari.ids import BUNDLED, bundled
from diffsr_hub.data.minari.source import datasets_root, local_datasets, make_root
from diffsr_hub.errors import UserError, exit_codes
from diffsr_hub.runs.software import software
from pretrain.behaviour.linear import Episode
from pretrain.behaviour.mixture import Mixture, Source
from pretrain.behaviour.sources import names, source_of

_EPISODE_OVERHEAD = 1 << 15  # bytes; HDF5's own, twice what was measured
_ZEROS = bytes(1 << 20)

Say = Callable[[str], None]


def collect(
    name: str,
    *,
    steps: int | None = None,
    seed: int = 0,
    processes: int = 0,
    overwrite: bool = False,
    say: Say = print,
) -> list[str]:
    """Play what comes with the project into the Minari dataset `<name>/bundled-vN`, or into those of a group.

    The same seed gives the same arrays, bit for bit, on one machine. There is never half a dataset.

    Args:
        name: a robot such as mujoco/hopper, a task such as metaworld/door-open-v3, or a group such as
            metaworld/ml10-train, of which only what is missing is collected.
        steps: environment steps of each dataset; the last episode is finished, so there may be a few more. By
            default 100,000 of a robot and 25,000 of a task.
        seed: of everything random.
        processes: how many play side by side, where episodes do not depend on each other; 0 for one on each core.
        overwrite: replace datasets that exist.
        say: takes each line that the user should see.

    Returns:
        The ids of the datasets of `name`, sorted.

    Raises:
        UserError: nothing is bundled under this name, a number makes no sense, the dataset exists, whole or not, or the
            folder cannot be written.
    """
    source = source_of(name)
    namespaces = sorted(source.suite.members(name))
    steps = source.steps if steps is None else steps
    if steps < 1 or seed < 0:
        raise UserError(f"steps must be at least 1 and the seed at least 0, not {steps} and {seed}")
    if processes < 0:
        raise UserError(f"processes must be at least 0, not {processes}")
    whole = local_datasets()
    missing = namespaces if overwrite else [entry for entry in namespaces if bundled(entry) not in whole]
    for entry in missing:
        if _place(entry).exists() and not overwrite:
            raise UserError(f"{_place(entry)} is no whole dataset; to replace it: diffsr collect {entry} --overwrite")
    if not missing:
        there = bundled(name) if namespaces == [name] else f"every dataset of {name}"
        raise UserError(f"{there} exists in {datasets_root()}: --overwrite replaces it")
    if len(missing) < len(namespaces):
        say(f"{name}: {len(namespaces) - len(missing)} of {len(namespaces)} datasets exist already and stay")
    with _disk_errors():
        tempfile.TemporaryFile(dir=make_root()).close()  # an unwritable folder is found out now, not at the end
    _play(source, missing, steps, seed, processes, overwrite=overwrite, say=say)
    return [bundled(entry) for entry in namespaces]


def _play(
    source: Source, namespaces: Sequence[str], steps: int, seed: int, processes: int, *, overwrite: bool, say: Say
) -> None:
    for mixture in source.play(namespaces, steps, seed, processes):
        command = f"diffsr collect {mixture.namespace} --steps {steps} --seed {seed}"
        with _disk_errors(), tempfile.TemporaryDirectory(prefix=".collecting-", dir=datasets_root()) as work:
            _write(Path(work) / BUNDLED, mixture, _metadata(mixture, command))
            first = _publish(Path(work) / BUNDLED, mixture.namespace, overwrite=overwrite)
        if not first:
            say(f"{bundled(mixture.namespace)}: another process was first; its dataset stays")
            continue
        _report(bundled(mixture.namespace), [episode for _, episode in mixture.episodes], say)


def _place(namespace: str) -> Path:
    return datasets_root() / bundled(namespace)


def _metadata(mixture: Mixture, command: str) -> dict[str, Any]:
    """Minari's metadata, and under `behaviour` who collected how much of it."""
    used = software()
    return mixture.facts | {
        "dataset_id": bundled(mixture.namespace),
        "author": {"diffsr-hub"},
        "code_permalink": f"pretrain/collect.py of diffsr-hub {used['diffsr-hub']}, commit {used['git_commit']}",
        "requirements": [f"{package}=={version(package)}" for package in ("mujoco", "gymnasium")],
        "minari_version": minari.__version__,
        "behaviour": {
            "command": command,
            "search": mixture.searched,
            "software": used,
            "cells": [cell.summary() for cell in mixture.cells],
        },
    }


def _write(folder: Path, mixture: Mixture, metadata: dict[str, Any]) -> None:
    """Write the dataset into a folder of our choice.

    Through Minari's storage, as `minari.create_dataset_from_buffers` only writes in place, where others see half of it.
    """
    folder.mkdir()
    _check_space(folder / "probe", [episode for _, episode in mixture.episodes])
    env = mixture.env
    storage = MinariStorage.new(folder / "data", env.observation_space, env.action_space, env.spec)
    storage.update_metadata(metadata)
    storage.update_episodes(EpisodeBuffer(id=i, **episode._asdict()) for i, (_, episode) in enumerate(mixture.episodes))
    notes = mixture.notes or [{}] * len(mixture.episodes)
    storage.update_episode_metadata(
        {"policy": cell.policy, "noise": cell.noise} | note
        for (cell, _), note in zip(mixture.episodes, notes, strict=True)
    )


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


def _publish(folder: Path, namespace: str, *, overwrite: bool) -> bool:
    """Rename the dataset into its place; False if another process was first."""
    place, replaced = _place(namespace), folder.with_name("replaced")
    if namespace not in list_local_namespaces():
        with suppress(ValueError):  # another process has made it meanwhile
            create_namespace(namespace)
    try:
        if place.exists() and overwrite:
            place.rename(replaced)
        if place.exists():
            return False
        folder.rename(place)
    except BaseException:
        if replaced.exists() and not place.exists():
            replaced.rename(place)
        raise
    return True


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
        description="Play what comes with the project into the Minari dataset NAME/bundled-vN. NAME is one of "
        f"{names()}, where -without- and one of its tasks may follow, as in metaworld/mt50-without-door-open-v3.",
        allow_abbrev=False,
    )
    parser.add_function_arguments(collect, as_group=False, as_positional=True, skip={"overwrite", "say"})
    parser.add_argument("--overwrite", action="store_true", help="replace datasets that exist")
    arguments = parser.parse_args(None if argv is None else list(argv))
    ids = collect(**arguments.as_dict())
    print("next: diffsr pretrain --dataset", ids[0] if len(ids) == 1 else arguments.name)


if __name__ == "__main__":
    main()
