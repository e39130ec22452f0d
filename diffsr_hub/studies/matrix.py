"""A transfer matrix: what each encoder gains over learning from scratch in each task, with its interval.

A row is an arm, as runs are compared by arms: a sweep over `--encoders` names them after the encoders.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from diffsr_hub.errors import UserError, unknown
from diffsr_hub.studies.aligned import common_steps, curve, require_arms, require_measure, shared_steps
from diffsr_hub.studies.comparison import REFERENCE, json_values
from diffsr_hub.studies.measure import MEASURES, RETURN, SUCCESS, Measure, measure_named
from diffsr_hub.studies.recorded_runs import Run
from diffsr_hub.studies.statistics import Estimate, area, difference, estimate, mean_difference

Value = Literal["over_run", "final"]


@dataclass(frozen=True)
class Cell:
    """What one arm gains in one task."""

    gain: Estimate | None
    """`difference` in the unit of its column; None where `missing` says why"""
    difference: Estimate | None
    """interquartile mean of the arm less that of the reference, in the unit of the measure; positive is better"""
    missing: str | None
    seeds: tuple[int, ...]
    reference_seeds: tuple[int, ...]
    steps: int | None
    """the last evaluation that all seeds of both have: nothing after it counts"""
    encoders: tuple[str, ...]
    """folders or repositories, as far as the runs noted them"""
    values: tuple[float, ...] = ()
    """one for each of the seeds, in the unit of the gain; empty where there is none"""
    reference_values: tuple[float, ...] = ()


@dataclass(frozen=True)
class Mean:
    """What one arm gains in the mean of several tasks."""

    gain: Estimate
    """mean of the gains, its interval stratified by task"""
    measure: str
    tasks: tuple[str, ...]
    """those in which arm and reference have two seeds or more, and the gain a unit"""


@dataclass(frozen=True)
class Column:
    """One task."""

    env: str
    measure: str
    """a name in `MEASURES`"""
    reference: Estimate | None
    """what the reference came to; None where it was not run"""
    learned: Estimate | None
    """last evaluation less first, of the seeds of the reference; the other way round if less is better"""
    unit: float | None
    """of the gains: that of the measure, or else the centre of `learned`; None where the reference did not learn"""
    steps: int | None
    """the last evaluation that all seeds of the reference have"""
    cells: tuple[Cell, ...]
    """one for each arm, in the order of the matrix"""


@dataclass(frozen=True)
class Matrix:
    """Everything that `diffsr matrix` shows."""

    value: Value
    reference: str
    arms: tuple[str, ...]
    columns: tuple[Column, ...]
    means: tuple[Mean | None, ...]
    """one for each arm; None where there are no two tasks to average, or their gains are of different measures"""

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Of the columns, each once."""
        return tuple(dict.fromkeys(MEASURES[column.measure] for column in self.columns))

    @property
    def definition(self) -> str:
        """What the numbers mean, in words."""
        compared = " or ".join(measure.value_title(self.value) for measure in self.measures)
        units = "; ".join(measure.definition_of_gain_unit(self.reference) for measure in self.measures)
        return (
            f"Gain over {self.reference}: interquartile mean over seeds (of fewer than four: the mean) of an arm's "
            f"{compared}, less that of {self.reference}, up to the last evaluation that all seeds of both have. The "
            f"unit is one number for each task: {units}. In brackets the "
            "95 % bootstrap interval of the difference, for which the seeds of both are drawn again, each for itself; "
            "it needs two seeds of each."
        ) + (
            " The mean is that of the tasks which have such intervals; its own is stratified."
            if any(self.means)
            else ""
        )

    def summary(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {"definition": self.definition, **json_values(asdict(self))}


def matrix(
    runs: Sequence[Run],
    *,
    arms: Sequence[str] | None = None,
    reference: str = REFERENCE,
    value: Value = "over_run",
    measure: str | None = None,
) -> Matrix:
    """Hold every arm against the reference in every task.

    Args:
        runs: Of any tasks and arms; each seed of an arm once.
        arms: The rows; None for all but the reference.
        reference: What gains are over.
        value: over_run, the area under the learning curve by its length, or final, the last evaluation.
        measure: A name in `MEASURES`; None for the success rate where all runs of a task know it, else the return.

    Raises:
        UserError: There is no such measure, an arm or the reference is no arm of any task, nothing is left to be held
            against the reference, or a run does not know the measure.
    """
    asked = None if measure is None else measure_named(measure)
    known = sorted({run.arm for run in runs})
    if reference not in known:
        raise _no_reference(reference, known)
    rows = [arm for arm in known if arm != reference] if arms is None else list(arms)
    require_arms(runs, rows)
    if not rows:
        raise UserError(f"all of these runs are of {reference}: there is nothing to hold against it")
    columns = []
    for env in sorted({run.env for run in runs}):
        groups = {arm: [run for run in runs if (run.env, run.arm) == (env, arm)] for arm in (reference, *rows)}
        if any(groups[arm] for arm in rows):
            columns.append(_column(env, groups, rows, reference, value, asked))
    means = tuple(_mean(columns, row) for row in range(len(rows)))
    return Matrix(value, reference, tuple(rows), tuple(columns), means)


def _column(
    env: str,
    groups: Mapping[str, Sequence[Run]],
    rows: Sequence[str],
    reference: str,
    value: Value,
    measure: Measure | None,
) -> Column:
    runs = [run for group in groups.values() for run in group]
    measure = measure or (SUCCESS if all(SUCCESS.name in run.measures for run in runs) else RETURN)
    require_measure(runs, measure)
    base = groups[reference]
    learned, steps, came_to = None, None, None
    if base:
        steps = common_steps(base)
        curves = [curve(run, measure, steps) for run in base]
        learned = estimate(sorted(measure.direction * (row[-1] - row[0]) for row in curves))
        came_to = estimate(sorted(_values(base, measure, steps, value)))
    unit = _unit(learned) if measure.gain_unit is None else measure.gain_unit
    cells = tuple(_cell(groups[arm], base, measure, value, unit, reference) for arm in rows)
    return Column(env, measure.name, came_to, learned, unit, None if steps is None else steps[-1], cells)


def _cell(
    runs: Sequence[Run], base: Sequence[Run], measure: Measure, value: Value, unit: float | None, reference: str
) -> Cell:
    runs, base = (sorted(some, key=lambda run: run.seed) for some in (runs, base))
    gain, found, steps, missing = None, None, None, None
    values: list[float] = []
    base_values: list[float] = []
    if not runs:
        missing = "not run"
    elif not base:
        missing = f"no run of {reference}"
    elif common := shared_steps([*runs, *base]):
        steps = common[-1]
        values, base_values = (_values(some, measure, common, value) for some in (runs, base))
        found = difference(*_pair(measure, values, base_values))
        gain = None if unit is None else _in_units(found, unit)
        missing = f"{reference} did not learn" if gain is None else None
    else:
        missing = "no step in common"
    return Cell(
        gain=gain,
        difference=found,
        missing=missing,
        seeds=tuple(run.seed for run in runs),
        reference_seeds=tuple(run.seed for run in base),
        steps=steps,
        encoders=tuple(sorted({run.encoder for run in runs if run.encoder is not None})),
        values=_divided(values, unit),
        reference_values=_divided(base_values, unit),
    )


def _mean(columns: Sequence[Column], row: int) -> Mean | None:
    known = [column for column in columns if (gain := column.cells[row].gain) is not None and gain.low is not None]
    if len(known) < 2 or len({column.measure for column in known}) > 1:
        return None
    cells = [column.cells[row] for column in known]
    measure = MEASURES[known[0].measure]
    gain = mean_difference([_pair(measure, cell.values, cell.reference_values) for cell in cells])
    return Mean(gain, measure.name, tuple(column.env for column in known))


def _values(runs: Sequence[Run], measure: Measure, steps: Sequence[int], value: Value) -> list[float]:
    """One number for each run."""
    curves = [curve(run, measure, steps) for run in runs]
    return [row[-1] if value == "final" else area(steps, row) for row in curves]


def _pair(measure: Measure, group: Sequence[float], reference: Sequence[float]) -> tuple[list[float], list[float]]:
    """The values of both, such that a larger one is better."""
    return [measure.direction * value for value in group], [measure.direction * value for value in reference]


def _unit(learned: Estimate | None) -> float | None:
    """What was learned, unless it may as well be nothing: to divide by that would make gains of any size."""
    if learned is None or (learned.centre if learned.low is None else learned.low) <= 0:
        return None
    return learned.centre


def _divided(values: Sequence[float], unit: float | None) -> tuple[float, ...]:
    return () if unit is None else tuple(value / unit for value in values)


def _in_units(found: Estimate, unit: float) -> Estimate:
    low, high = (None if bound is None else bound / unit for bound in (found.low, found.high))
    return Estimate(found.centre / unit, low, high)


def _no_reference(reference: str, known: Sequence[str]) -> UserError:
    if reference != REFERENCE:
        return unknown("arm for a reference", reference, known)
    return UserError(
        f"none of these runs is of {REFERENCE}, which gains are over: add runs with --encoder none, or choose another "
        f"--reference ({', '.join(known)})"
    )
