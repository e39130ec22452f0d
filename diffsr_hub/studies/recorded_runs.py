"""Finished and unfinished runs as their `evaluation.json` tells of them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from diffsr_hub.errors import UserError

RECORD = "evaluation.json"
"""what makes a folder a run folder"""
SOURCES = "sources.json"
"""beside it in whole run folders: what the run was made of; kept records may be without"""


@dataclass(frozen=True)
class Run:
    """The learning curve of one seed."""

    folder: Path
    env: str
    arm: str
    """what is compared: runs of equal `env` and `arm` differ in their seed only"""
    seed: int
    steps: tuple[int, ...]
    """environment steps at each evaluation, ascending; never empty"""
    seconds: tuple[float, ...]
    """CPU time of training up to each of them, without evaluations"""
    measures: dict[str, tuple[float, ...]]
    """by name, such as mean_return (undiscounted) or success_rate (0 to 1): the mean of each evaluation's episodes"""
    encoder: str | None = None
    """the folder or repository of its encoder; None from scratch, or where nothing was noted of it"""


def read_runs(paths: Iterable[Path]) -> list[Run]:
    """The runs in run folders and anywhere below other folders, by environment, arm and seed.

    Raises:
        UserError: There are none, one cannot be read, or two are the same seed of the same arm.
    """
    runs: dict[tuple[str, str, int], Run] = {}
    for folder in dict.fromkeys(folder.resolve() for path in paths for folder in _folders(path)):
        run = read_run(folder)
        twin = runs.setdefault((run.env, run.arm, run.seed), run)
        if twin is not run:
            raise UserError(
                f"{twin.folder} and {folder} are both seed {run.seed} of {run.arm} in {run.env}: give one of them"
            )
    return [runs[key] for key in sorted(runs)]


def read_run(folder: Path) -> Run:
    """One run.

    Raises:
        UserError: Its record cannot be read, holds no evaluation, or a value that is not finite.
    """
    file = folder / RECORD
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        evaluations: list[dict[str, Any]] = record["evaluations"]
        run = Run(
            folder=folder,
            env=str(record["env"]),
            arm=str(record["arm"]),
            seed=int(record["seed"]),
            steps=tuple(int(row["step"]) for row in evaluations),
            seconds=tuple(float(row["seconds"]) for row in evaluations),
            measures={
                name: tuple(float(row[name]) for row in evaluations)
                for name in ("mean_return", "success_rate")
                if all(name in row for row in evaluations)
            },
            encoder=_encoder(folder / SOURCES),
        )
    except KeyError as error:
        raise UserError(f"{file} is no record of a run: it has no {error}") from error
    except (TypeError, ValueError) as error:
        raise UserError(f"{file} is no record of a run: {error}") from error
    if not run.steps:
        raise UserError(f"{folder} has no evaluation yet: leave it out")
    for name, values in run.measures.items():
        for step, value in zip(run.steps, values, strict=True):
            if not isfinite(value):
                raise UserError(f"{name} of {folder} is {value} at step {step:,}: leave the run out")
    return run


def _encoder(file: Path) -> str | None:
    if not file.is_file():
        return None
    try:
        encoder = json.loads(file.read_text(encoding="utf-8"))["encoder"]
        return None if encoder is None else str(encoder["source"])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{file} does not say what the run was made of: {error}") from error


def _folders(path: Path) -> list[Path]:
    if (path / RECORD).is_file():
        return [path]
    found = {file.parent for file in path.rglob(RECORD)}
    if not found:
        raise UserError(f"{path} is no run folder and holds none: there is no {RECORD} in it")
    return sorted(folder for folder in found if not found & set(folder.parents))  # its agent/ holds a copy
