"""Runs side by side: the tasks, the measure and the steps of evaluation that they have in common."""

from collections.abc import Iterable, Sequence

from diffsr_hub.errors import UserError, unknown
from diffsr_hub.studies.measure import Measure
from diffsr_hub.studies.recorded_runs import Run


def in_tasks(runs: Sequence[Run], tasks: Iterable[str]) -> list[Run]:
    """The runs in some tasks.

    Raises:
        UserError: There is no run in one of them.
    """
    wanted, known = list(tasks), {run.env for run in runs}
    for task in wanted:
        if task not in known:
            raise unknown("task", task, known)
    return [run for run in runs if run.env in wanted]


def require_arms(runs: Iterable[Run], arms: Iterable[str]) -> None:
    """Refuse arms of which there is no run.

    Raises:
        UserError: One of them has none.
    """
    known = {run.arm for run in runs}
    for arm in arms:
        if arm not in known:
            raise unknown("arm", arm, known)


def require_measure(runs: Iterable[Run], measure: Measure) -> None:
    """Refuse runs that do not know a measure.

    Raises:
        UserError: One of them does not.
    """
    for run in runs:
        if measure.name not in run.measures:
            raise unknown(f"measure of {run.origin}", measure.name, run.measures)


def shared_steps(runs: Sequence[Run]) -> tuple[int, ...]:
    """The steps at which all of some runs were evaluated, ascending; there may be none."""
    return tuple(sorted(set.intersection(*(set(run.steps) for run in runs))))


def common_steps(runs: Sequence[Run]) -> tuple[int, ...]:
    """The steps at which all runs of a task were evaluated, ascending.

    Raises:
        UserError: There are none.
    """
    steps = shared_steps(runs)
    if not steps:
        arms = " and ".join(dict.fromkeys(run.arm for run in runs))
        raise UserError(f"the seeds of {arms} in {runs[0].env} have no step in common at which all were evaluated")
    return steps


def at_steps(run: Run, values: Sequence[float], steps: Sequence[int]) -> list[float]:
    """Those of a run's `values`, one an evaluation, that belong to some of its steps."""
    found = dict(zip(run.steps, values, strict=True))
    return [found[step] for step in steps]


def curve(run: Run, measure: Measure, steps: Sequence[int]) -> list[float]:
    """The learning curve of a run at some of its steps."""
    return at_steps(run, run.measures[measure.name], steps)
