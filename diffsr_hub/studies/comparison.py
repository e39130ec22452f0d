"""Runs grouped by task and arm, and what the seeds of each group came to."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffsr_hub.errors import UserError, unknown
from diffsr_hub.studies.aligned import at_steps, common_steps, curve, require_arms, require_measure
from diffsr_hub.studies.measure import RETURN, Measure, measure_named
from diffsr_hub.studies.recorded_runs import Run
from diffsr_hub.studies.statistics import Estimate, Ratio, Waiting, area, band, estimate, iqm, ratio, steps_to, waiting

REFERENCE = "scratch"
"""arm that the others are held against, where there is one"""


@dataclass(frozen=True)
class Curve:
    """A learning curve over seeds, at the steps at which all of them were evaluated."""

    steps: tuple[int, ...]
    centre: NDArray[np.float64]
    """interquartile mean, `[steps]`"""
    low: NDArray[np.float64] | None
    """95 % bootstrap bounds, `[steps]`; None for one seed"""
    high: NDArray[np.float64] | None


@dataclass(frozen=True)
class Arm:
    """One line of a comparison. Estimates are interquartile means over seeds."""

    name: str
    seeds: tuple[int, ...]
    last_steps: tuple[int, ...]
    """the last evaluation of each seed"""
    curve: Curve
    final: Estimate
    """mean of the episodes of the last evaluation that all seeds have"""
    area: Estimate
    """mean over the run up to there, by the trapezoid rule"""
    seconds: Estimate
    """CPU time of training up to there"""
    to_threshold: Waiting | None
    """steps of each run; None where the task has no threshold"""
    ratio: Ratio | None
    """of these steps, to those of the reference; None where it is not known"""
    curve_to_threshold: int | None
    """step at which the centre of the curve reaches it; None for not reached"""


@dataclass(frozen=True)
class TaskComparison:
    """The arms of one task."""

    env: str
    threshold: float | None
    reference: str | None
    """arm that the ratios are to; None where the task has no such arm"""
    arms: tuple[Arm, ...]


@dataclass(frozen=True)
class Comparison:
    """Everything that `diffsr compare` shows."""

    measure: str
    """a name in `MEASURES`"""
    tasks: tuple[TaskComparison, ...]

    def summary(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {"measure": self.measure, "tasks": [json_values(asdict(task)) for task in self.tasks]}


def compare(
    runs: Sequence[Run],
    *,
    arms: Sequence[str] | None = None,
    reference: str | None = None,
    threshold: float | None = None,
    measure: str = RETURN.name,
) -> Comparison:
    """Group runs by task and arm, and summarise each group over its seeds.

    Args:
        runs: Of any tasks and arms; each seed of an arm once.
        arms: Only these, in this order, the reference among them; None for all.
        reference: Arm whose final value is the threshold of its task, and to whose steps ratios are; None for
            `scratch` where there is one.
        threshold: One for all tasks, in the unit of the measure, instead of the reference's final value.
        measure: Which number of an evaluation is compared, by its name in `MEASURES`.

    Raises:
        UserError: There is no such measure, the threshold is NaN or infinite, an arm or the reference is no arm of any
            task, a run does not know the measure, or the seeds of an arm were never evaluated at the same step.
    """
    if arms is not None:
        require_arms(runs, arms)
        if reference is not None and reference not in arms:
            raise UserError(f"the reference {reference} must be one of the arms that are compared: {', '.join(arms)}")
        runs = [run for arm in arms for run in runs if run.arm == arm]
    compared = measure_named(measure)
    require_measure(runs, compared)
    if threshold is not None and not isfinite(threshold):
        raise UserError(f"threshold must be a finite number, got {threshold}")
    if reference is not None and reference not in {run.arm for run in runs}:
        raise unknown("arm for a reference", reference, {run.arm for run in runs})
    envs = dict.fromkeys(run.env for run in runs)
    tasks = [
        _task([run for run in runs if run.env == env], reference or REFERENCE, threshold, compared) for env in envs
    ]
    return Comparison(measure, tuple(tasks))


def json_values(value: Any) -> Any:
    """A value of dataclasses taken apart as what JSON knows: arrays and tuples become lists."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {key: json_values(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [json_values(entry) for entry in value]
    return value


def _task(runs: Sequence[Run], reference: str, threshold: float | None, measure: Measure) -> TaskComparison:
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.arm, []).append(run)
    referred = groups.get(reference)
    if threshold is None and referred is not None:
        threshold = float(_curve(referred, measure).centre[-1])
    waited = None if threshold is None or referred is None else _wait(referred, measure, threshold)
    first = sorted(groups, key=lambda name: name != reference)  # the reference, then the others in their order
    arms = tuple(_arm(name, groups[name], measure, threshold, waited) for name in first)
    return TaskComparison(runs[0].env, threshold, reference if referred else None, arms)


def _arm(name: str, runs: Sequence[Run], measure: Measure, threshold: float | None, reference: Waiting | None) -> Arm:
    found = _curve(runs, measure)
    values = [curve(run, measure, found.steps) for run in runs]
    waited = None if threshold is None else _wait(runs, measure, threshold)
    return Arm(
        name=name,
        seeds=tuple(run.seed for run in runs),
        last_steps=tuple(run.steps[-1] for run in runs),
        curve=found,
        final=estimate([row[-1] for row in values]),
        area=estimate([area(found.steps, row) for row in values]),
        seconds=estimate([at_steps(run, run.seconds, found.steps)[-1] for run in runs]),
        to_threshold=waited,
        ratio=None if waited is None or reference is None else ratio(waited, reference),
        curve_to_threshold=None
        if threshold is None
        else _reach(found.steps, found.centre.tolist(), threshold, measure),
    )


def _curve(runs: Sequence[Run], measure: Measure) -> Curve:
    steps = common_steps(runs)
    values = np.array([curve(run, measure, steps) for run in runs])
    low, high = band(values) if len(runs) > 1 else (None, None)
    return Curve(steps, iqm(values), low, high)


def _wait(runs: Sequence[Run], measure: Measure, threshold: float) -> Waiting:
    """Over everything each run has seen, not only up to the last common step."""
    reached = [_reach(run.steps, run.measures[measure.name], threshold, measure) for run in runs]
    return waiting(reached, [run.steps[-1] for run in runs])


def _reach(steps: Sequence[int], values: Sequence[float], threshold: float, measure: Measure) -> int | None:
    """The first step at which the measure is at the threshold or better."""
    return steps_to(steps, [measure.direction * value for value in values], measure.direction * threshold)
