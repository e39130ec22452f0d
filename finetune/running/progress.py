"""The progress bar of a run: step, return, steps a second, time left."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import Progress, TextColumn, TimeRemainingColumn

REFRESH = 0.1
"""seconds between two looks: the bar costs as much as a few steps of a small environment"""
Show = Callable[[int, float], None]
"""`show(step, latest_return)`, called after every step"""


@contextmanager
def progress_bar(title: str, first_step: int, total_steps: int, *, shown: bool) -> Iterator[Show]:
    """Show how far a run is while the context lasts.

    Args:
        title: In front of the bar.
        first_step: Where it starts.
        total_steps: Where it ends.
        shown: Whether there is a bar at all.
    """
    columns = [*Progress.get_default_columns()[:-1], TextColumn("{task.fields[state]}"), TimeRemainingColumn()]
    with Progress(*columns, disable=not shown) as bar:
        task = bar.add_task(title, total=total_steps, completed=first_step, state="")
        looked = 0.0

        def show(step: int, latest_return: float) -> None:
            nonlocal looked
            now = time.monotonic()
            if now - looked >= REFRESH or step >= total_steps:
                looked = now
                rate = bar.tasks[0].speed or 0.0
                bar.update(task, completed=step, state=f"{step:,} steps, {rate:.0f}/s, return {latest_return:,.0f}")

        yield show
