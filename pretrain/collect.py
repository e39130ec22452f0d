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
from minari.namespace import create_namespace, list_local_namespaces

from diffsr_hub.data.minari.ids import BUNDLED, bundled
from diffsr_hub.data.minari.source import datasets_root, local_datasets, make_root
from diffsr_hub.errors import UserError, exit_codes
from diffsr_hub.runs.memory import check_memory
from diffsr_hub.runs.software import software
from diffsr_hub.suites.pixels.names import seen_namespace, split_namespace
from diffsr_hub.suites.pixels.opengl import open_context
from pretrain.behaviour.linear import Episode
from pretrain.behaviour.mixture import Mixture, Source
from pretrain.behaviour.sources import names, source_of
from pretrain.behaviour.writing import write_dataset

Say = Callable[[str], None]


def collect(
    name: str,
    *,
    steps: int | None = None,
    seed: int = 0,
    processes: int = 0,
    pixels: int = 0,
    overwrite: bool = False,
    say: Say = print,
) -> list[str]:
    """Play what comes with the project into the Minari dataset `<name>/bundled-vN`, or into those of a group.

    With `pixels`, it is `<name>/pixels<size>/bundled-v0`, whose observations are pictures, one a step, and whose infos
    hold the states. A step lasts as long as actions are repeated in the environment that is seen.

    The same seed gives the same arrays, bit for bit, on one machine. There is never half a dataset.

    Args:
        name: a robot such as mujoco/hopper, a task such as metaworld/door-open-v3, or a group such as
            metaworld/ml10-train, of which only what is missing is collected.
        steps: environment steps of each dataset; the last episode is finished, so there may be a few more. By
            default 100,000 of a robot and 25,000 of a task.
        seed: of everything random.
        processes: how many play side by side, where episodes do not depend on each other; 0 for one on each core.
        pixels: side of the pictures; 0 for states.
        overwrite: replace datasets that exist.
        say: takes each line that the user should see.

    Returns:
        The ids of the datasets of `name`, sorted.

    Raises:
        UserError: nothing is bundled under this name, a number makes no sense, the dataset exists, whole or not, or the
            folder cannot be written; the pictures have no place in memory, or nothing here can draw them.
    """
    plain_name, seen = split_namespace(name)
    pixels = pixels or seen
    source = source_of(plain_name)
    namespaces = [seen_namespace(entry, pixels) for entry in sorted(source.suite.members(plain_name))]
    steps = source.steps if steps is None else steps
    _check_numbers(steps, seed, processes, pixels)
    whole = local_datasets()
    missing = namespaces if overwrite else [entry for entry in namespaces if bundled(entry) not in whole]
    for entry in missing:
        if _place(entry).exists() and not overwrite:
            raise UserError(f"{_place(entry)} is no whole dataset; to replace it: diffsr collect {entry} --overwrite")
    if not missing:
        there = bundled(namespaces[0]) if len(namespaces) == 1 else f"every dataset of {name}"
        raise UserError(f"{there} exists in {datasets_root()}: --overwrite replaces it")
    if len(missing) < len(namespaces):
        say(f"{name}: {len(namespaces) - len(missing)} of {len(namespaces)} datasets exist already and stay")
    with _disk_errors():
        tempfile.TemporaryFile(dir=make_root()).close()  # an unwritable folder is found out now, not at the end
    _play(source, missing, steps, seed, processes, overwrite=overwrite, say=say)
    return [bundled(entry) for entry in namespaces]


def _check_numbers(steps: int, seed: int, processes: int, pixels: int) -> None:
    """Find out before anything is played whether it makes sense, and whether pictures can be drawn and kept."""
    if steps < 1 or seed < 0:
        raise UserError(f"steps must be at least 1 and the seed at least 0, not {steps} and {seed}")
    if processes < 0 or pixels < 0:
        raise UserError(f"processes and pixels must be at least 0, not {processes} and {pixels}")
    if pixels:  # a dataset is written when it is whole: until then, it is in memory
        check_memory(steps * pixels**2 * 3, f"{steps:,} pictures of {pixels} × {pixels}", "lower --steps or --pixels")
        open_context(pixels).free()


def _play(
    source: Source, namespaces: Sequence[str], steps: int, seed: int, processes: int, *, overwrite: bool, say: Say
) -> None:
    for mixture in source.play(namespaces, steps, seed, processes):
        command = f"diffsr collect {mixture.namespace} --steps {steps} --seed {seed}"
        with _disk_errors(), tempfile.TemporaryDirectory(prefix=".collecting-", dir=datasets_root()) as work:
            write_dataset(Path(work) / BUNDLED, mixture, _metadata(mixture, command))
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
    view = getattr(mixture.env.unwrapped, "view", None)
    seen = {} if view is None else {"view": view.summary() | {"fingerprint": view.fingerprint()}}
    return (
        mixture.facts
        | seen
        | {
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
    )


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
    if not arguments.pixels and not split_namespace(arguments.name)[1]:  # there is no encoder of pictures yet
        print("next: diffsr pretrain --dataset", ids[0] if len(ids) == 1 else arguments.name)


if __name__ == "__main__":
    main()
