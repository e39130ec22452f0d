"""What several seeds say together: interquartile mean, bootstrap interval, area under a curve, steps to a threshold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

TRIMMED = 0.25
"""share of the values that the interquartile mean leaves out at each end"""
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """An interquartile mean with its 95 % bootstrap interval, in the unit of its values."""

    centre: float
    low: float | None = None
    """None where there is no interval: one value says nothing about its spread"""
    high: float | None = None

    def __format__(self, spec: str) -> str:
        """`centre [low, high]`, each in the given format; the centre alone without an interval or with an empty one."""
        centre = format(self.centre, spec)
        if self.low is None or self.high is None or self.low == self.high:
            return centre
        return f"{centre} [{format(self.low, spec)}, {format(self.high, spec)}]"


def iqm(values: ArrayLike) -> NDArray[np.float64]:
    """The mean of the middle half of `values` `[n, …]`, over their first axis: `[…]`; of fewer than four, of all."""
    return np.asarray(stats.trim_mean(values, TRIMMED, axis=0), np.float64)


def estimate(values: Sequence[float]) -> Estimate:
    """The interquartile mean of `values` with the interval of `band`."""
    return _estimate(iqm(values), band(np.asarray(values, np.float64)) if len(values) > 1 else None)


def band(values: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bounds of the interquartile mean over the first axis, 95 % percentile bootstrap.

    Whole rows are drawn again, so that a curve is one value. A band belongs to one task: to draw the seeds of each
    task for itself is what makes the bootstrap stratified.

    Args:
        values: `[n, …]`, with n ≥ 2.
    """
    return _bootstrap((np.asarray(values, np.float64),), _iqm_over)


def difference(group: Sequence[float], reference: Sequence[float]) -> Estimate:
    """How far the interquartile mean of `group` lies above that of `reference`.

    For the 95 % percentile bootstrap interval both are drawn again, each for itself: they are different runs. It does
    not depend on the order of the values, and there is none where one of the two has a single value.
    """
    samples = (np.sort(np.asarray(group, np.float64)), np.sort(np.asarray(reference, np.float64)))
    bounds = _bootstrap(samples, _iqm_between) if min(map(len, samples)) > 1 else None
    return _estimate(iqm(samples[0]) - iqm(samples[1]), bounds)


def mean_difference(pairs: Sequence[tuple[Sequence[float], Sequence[float]]]) -> Estimate:
    """The mean over tasks of the `difference` of a group and its reference in each.

    For the 95 % percentile bootstrap interval every group and every reference is drawn again for itself, which makes
    the bootstrap stratified by task.

    Args:
        pairs: Group and reference of each task, of at least two values each, in a unit that can be averaged.
    """
    samples = [np.sort(np.asarray(values, np.float64)) for pair in pairs for values in pair]
    return _estimate(_mean_iqm_between(*samples, axis=0), _bootstrap(samples, _mean_iqm_between))


def area(steps: Sequence[int], values: Sequence[float]) -> float:
    """The mean height of a curve from its first step to its last, by the trapezoid rule, in the unit of `values`."""
    if len(steps) == 1:
        return float(values[0])
    return float(np.trapezoid(values, steps) / (steps[-1] - steps[0]))


def steps_to(steps: Sequence[int], values: Sequence[float], threshold: float) -> int | None:
    """The first of `steps` with a value of at least `threshold`, nothing interpolated; None where there is none."""
    return next((step for step, value in zip(steps, values, strict=True) if value >= threshold), None)


@dataclass(frozen=True)
class Waiting:
    """How long several runs took to reach something, where some may not have reached it before they ended."""

    steps: Estimate
    """over all runs; one that did not reach it counts with the last step it was seen at, which is too few"""
    reached: int
    """runs that did"""
    runs: int
    censored: bool
    """whether `steps` is a lower bound: a run that enters the interquartile mean did not reach it"""

    def __format__(self, spec: str) -> str:
        """The steps, or `> steps` without an interval."""
        return f"> {format(self.steps.centre, spec)}" if self.censored else format(self.steps, spec)


def waiting(reached_at: Sequence[int | None], last_steps: Sequence[int]) -> Waiting:
    """Summarise the steps at which runs reached something.

    Args:
        reached_at: One step a run; None for not reached.
        last_steps: The last step of each run.
    """
    known = [step for step in reached_at if step is not None]
    exact = float(iqm([inf if step is None else step for step in reached_at]))  # finite if the missing are trimmed
    counted = [last if step is None else step for step, last in zip(reached_at, last_steps, strict=True)]
    centre = Estimate(exact if exact < inf else float(iqm(counted)))
    steps = estimate(counted) if len(known) == len(counted) else centre
    return Waiting(steps, len(known), len(counted), censored=exact == inf)


@dataclass(frozen=True)
class Ratio:
    """Steps of one group of runs per step of another."""

    value: float
    sign: Literal["", "<", ">"] = ""
    """`<` or `>` where the value is a bound, because runs of one group did not reach what was waited for"""

    def __format__(self, spec: str) -> str:
        """`0.50` or `< 0.50`."""
        return f"{self.sign} {format(self.value, spec)}".lstrip()


def ratio(group: Waiting, reference: Waiting) -> Ratio | None:
    """How many steps `group` needs per step of `reference`; None where nothing is known, as both are bounds."""
    if (group.censored and reference.censored) or reference.steps.centre == 0:
        return None
    below = reference.censored and group.steps.centre > 0  # no step at all is 0 times any number of them
    sign: Literal["", "<", ">"] = ">" if group.censored else "<" if below else ""
    return Ratio(group.steps.centre / reference.steps.centre, sign)


def _estimate(centre: NDArray[np.float64], bounds: tuple[NDArray[np.float64], NDArray[np.float64]] | None) -> Estimate:
    return Estimate(float(centre), *map(float, bounds or ()))


def _bootstrap(
    samples: Sequence[NDArray[np.float64]], statistic: Callable[..., Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    interval = stats.bootstrap(
        samples, statistic, axis=0, confidence_level=CONFIDENCE, method="percentile", rng=0
    ).confidence_interval
    return np.asarray(interval.low), np.asarray(interval.high)


def _iqm_between(group: NDArray[Any], reference: NDArray[Any], axis: int) -> Any:
    return _iqm_over(group, axis) - _iqm_over(reference, axis)


def _mean_iqm_between(*samples: NDArray[Any], axis: int) -> Any:
    pairs = list(zip(samples[0::2], samples[1::2], strict=True))
    return sum(_iqm_between(group, reference, axis) for group, reference in pairs) / len(pairs)


def _iqm_over(values: NDArray[Any], axis: int) -> Any:
    return stats.trim_mean(values, TRIMMED, axis=axis)
