"""Complete and interrupted runs, read from their run folders or from a file of recorded results."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from diffsr_hub.errors import UserError
from diffsr_hub.files.json_lines import SUFFIX, read_json_lines
from diffsr_hub.studies.measure import MEASURES
from diffsr_hub.suites.env_ids import registered

RECORD = "evaluation.json"
"""what makes a folder a run folder"""
SOURCES = "sources.json"
"""beside it in whole run folders: what the run was made of; kept records may be without"""


@dataclass(frozen=True)
class Run:
    """The learning curve of one seed."""

    origin: str
    """where its record is: a run folder, or a line of a file"""
    env: str
    arm: str
    """what is compared: runs of equal `env` and `arm` differ in their seed only"""
    seed: int
    steps: tuple[int, ...]
    """environment steps at each evaluation, ascending; never empty"""
    seconds: tuple[float, ...]
    """CPU time of training up to each of them, without evaluations"""
    measures: dict[str, tuple[float, ...]]
    """those of `MEASURES` that all of its evaluations have, by name: the mean of each evaluation's episodes"""
    encoder: str | None = None
    """the folder or repository of its encoder; None from scratch, or where nothing was noted of it"""


def read_runs(paths: Iterable[Path]) -> list[Run]:
    """All runs of some paths, by environment, arm and seed.

    Args:
        paths: Run folders, folders with run folders anywhere below them, or files of recorded results: JSON lines, one
            `evaluation.json` on each.

    Raises:
        UserError: There are none, one cannot be read, or two are the same seed of the same arm.
    """
    runs: dict[tuple[str, str, int], Run] = {}
    for place in dict.fromkeys(place.resolve() for path in paths for place in _places(path)):
        for run in _runs_at(place):
            twin = runs.setdefault((run.env, run.arm, run.seed), run)
            if twin is not run:
                raise UserError(
                    f"{twin.origin} and {run.origin} are both seed {run.seed} of {run.arm} in {run.env}: "
                    "give one of them"
                )
    return [runs[key] for key in sorted(runs)]


def read_run(folder: Path) -> Run:
    """The run of one run folder.

    Raises:
        UserError: Its record cannot be read, holds no evaluation, or a value that is not finite.
    """
    file = folder / RECORD
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{file} is no record of a run: {error}") from error
    return run_of(record, str(folder), _encoder(folder / SOURCES))


def run_of(record: Any, origin: str, encoder: str | None = None) -> Run:
    """The run that a record tells of.

    Args:
        record: What `evaluation.json` holds.
        origin: Where the record is.
        encoder: The source of the run's encoder.

    Raises:
        UserError: It is something else, holds no evaluation, or a value that is not finite.
    """
    try:
        evaluations: list[dict[str, Any]] = record["evaluations"]
        run = Run(
            origin=origin,
            env=registered(str(record["env"])),
            arm=str(record["arm"]),
            seed=int(record["seed"]),
            steps=tuple(int(row["step"]) for row in evaluations),
            seconds=tuple(float(row["seconds"]) for row in evaluations),
            measures={
                name: tuple(float(row[name]) for row in evaluations)
                for name in MEASURES
                if all(row.get(name) is not None for row in evaluations)
            },
            encoder=encoder,
        )
    except KeyError as error:
        raise UserError(f"{origin} is no record of a run: it has no {error}") from error
    except (AttributeError, TypeError, ValueError) as error:
        raise UserError(f"{origin} is no record of a run: {error}") from error
    if not run.steps:
        raise UserError(f"{origin} has no evaluation yet: leave it out")
    _check_finite(run)
    return run


def _check_finite(run: Run) -> None:
    for name, values in run.measures.items():
        for step, value in zip(run.steps, values, strict=True):
            if not isfinite(value):
                raise UserError(f"{name} of {run.origin} is {value} at step {step:,}: leave the run out")


def _encoder(file: Path) -> str | None:
    if not file.is_file():
        return None
    try:
        encoder: Mapping[str, Any] | None = json.loads(file.read_text(encoding="utf-8"))["encoder"]
        return None if encoder is None else str(encoder["source"])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{file} does not say what the run was made of: {error}") from error


def _runs_at(place: Path) -> Iterator[Run]:
    """The runs of a file of records, or the one of a run folder."""
    if place.is_dir():
        yield read_run(place)
        return
    for number, record in enumerate(read_json_lines(place), start=1):
        yield run_of(record, f"line {number} of {place}")


def _places(path: Path) -> list[Path]:
    """Run folders, or files of records."""
    if (path / RECORD).is_file() or (path.is_file() and path.suffix == SUFFIX):
        return [path]
    found = {file.parent for file in path.rglob(RECORD)}
    if not found:
        raise UserError(
            f"{path} is neither a run folder nor a file of results, whose name ends in {SUFFIX}"
            if path.is_file()
            else f"{path} is no run folder and holds none: there is no {RECORD} in it"
        )
    return sorted(folder for folder in found if not found & set(folder.parents))  # its agent/ holds a copy
