"""A comparison as Markdown: one table for each task, one line for each arm."""

from diffsr_hub.presentation.markdown import UNKNOWN, in_cell, markdown_table
from diffsr_hub.studies.comparison import Arm, Comparison, TaskComparison
from diffsr_hub.studies.measure import MEASURES


def table(comparison: Comparison) -> str:
    """The tables of all tasks, with what their numbers mean."""
    tasks = [_task(task, MEASURES[comparison.measure].column) for task in comparison.tasks]
    return "\n\n".join([*tasks, _legend(comparison)]) + "\n"


def _task(task: TaskComparison, measure: str) -> str:
    spec = ",.0f" if max(abs(arm.final.centre) for arm in task.arms) >= 100 else ".3g"
    titles = ["arm", "seeds", "steps", f"final {measure}", f"{measure} over the run"]
    if task.threshold is not None:
        ratios = [f"× {task.reference}"] if task.reference else []
        titles += [f"steps to {format(task.threshold, spec)}", "reached", *ratios, "their curve"]
    titles += ["CPU time"]
    rows = [_row(arm, task, spec) for arm in task.arms]
    return f"**{task.env}**\n\n{markdown_table([titles, *rows])}"


def _row(arm: Arm, task: TaskComparison, spec: str) -> list[str]:
    cells = [
        in_cell(arm.name),
        str(len(arm.seeds)),
        f"{arm.curve.steps[-1]:,}",
        format(arm.final, spec),
        format(arm.area, spec),
    ]
    if task.threshold is not None and arm.to_threshold is not None:
        curve = arm.curve_to_threshold
        ratios = [UNKNOWN if arm.ratio is None else format(arm.ratio, ".2f")] if task.reference else []
        cells += [
            format(arm.to_threshold, ",.0f"),
            f"{arm.to_threshold.reached} of {arm.to_threshold.runs}",
            *ratios,
            f"> {arm.curve.steps[-1]:,}" if curve is None else f"{curve:,}",
        ]
    return [*cells, f"{arm.seconds.centre / 60:.1f} min"]


def _legend(comparison: Comparison) -> str:
    text = [
        "Interquartile mean over seeds (of fewer than four: the mean) with its 95 % bootstrap interval, which one seed "
        "does not have. *Final*: the episodes of the last evaluation that all seeds have, at the step in the third "
        "column; *over the run*: area under the curve up to there divided by its length. ",
    ]
    side = "above" if MEASURES[comparison.measure].direction == 1 else "below"
    if any(task.threshold is not None for task in comparison.tasks):
        text += [
            f"*Steps to*: the first evaluation of a run at or {side} the threshold; a run that never gets there counts "
            "with its last step, and the mean is then a lower bound (>). *Their curve*: where the interquartile mean "
            "itself gets there. ",
        ]
    text += [f"{_unequal(task)} " for task in comparison.tasks if _unequal(task)]
    return "".join(text).rstrip()


def _unequal(task: TaskComparison) -> str:
    """What must be known where some seeds are further than others."""
    arms = [arm for arm in task.arms if len(set(arm.last_steps)) > 1]
    ranges = [f"{arm.name} at {min(arm.last_steps):,} to {max(arm.last_steps):,}" for arm in arms]
    return f"The seeds in {task.env} end at different steps: {', '.join(ranges)}." if arms else ""
