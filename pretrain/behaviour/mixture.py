"""Episodes of mixed quality: what a source of behaviour plays, and what each of its ways to behave contributed."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from diffsr_hub.suites.suite import Suite
from pretrain.behaviour.linear import Episode


@dataclass
class Cell:
    """One way to behave, and what it has contributed so far."""

    policy: str
    """its name; `random` acts uniformly at random"""
    noise: float
    """standard deviation of the action noise, as a fraction of half the action range"""
    episodes: int = 0
    steps: int = 0
    total_return: float = 0.0
    successes: int | None = None
    """None where episodes do not say"""

    def add(self, episode: Episode, success: bool | None = None) -> None:
        """Count one episode."""
        self.episodes += 1
        self.steps += len(episode.rewards)
        self.total_return += float(episode.rewards.sum())
        if success is not None:
            self.successes = (self.successes or 0) + success

    def summary(self) -> dict[str, Any]:
        """As JSON-able facts; there is no mean return without an episode."""
        mean = round(self.total_return / self.episodes, 1) if self.episodes else None
        share = {"episodes": self.episodes, "steps": self.steps, "mean_return": mean}
        success = {} if self.successes is None else {"successes": self.successes}
        return {"policy": self.policy, "noise": self.noise, **share, **success}


@dataclass(frozen=True)
class Mixture:
    """What was played for one namespace."""

    namespace: str
    env: gym.Env[Any, Any]
    """of its kind, for its spaces and its spec"""
    episodes: Sequence[tuple[Cell, Episode]]
    facts: dict[str, Any]
    """Minari's metadata, as far as only the source knows it"""
    searched: str | None = None
    """the command that found the policies"""
    notes: Sequence[dict[str, Any]] = field(default=())
    """what is to be noted of each episode beside its cell; empty for nothing"""

    @property
    def cells(self) -> list[Cell]:
        """Each once, in the order in which they first played."""
        return list({id(cell): cell for cell, _ in self.episodes}.values())


@dataclass(frozen=True)
class Source:
    """What plays the bundled namespaces of a suite."""

    suite: Suite
    play: Callable[[Sequence[str], int, int, int], Iterator[Mixture]]
    """of namespaces, steps of each, seed, processes: one mixture after the other"""
    steps: int
    """of each namespace, unless others are asked for"""


@contextmanager
def steps_bar(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal; the function that it gives takes the steps so far."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("steps, {task.fields[speed]:,.0f}/s, left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_interactive) as progress:
        bar = progress.add_task(title, total=total, speed=0.0)

        def show(done: int) -> None:
            progress.update(bar, completed=min(done, total), speed=progress.tasks[bar].speed or 0.0)

        yield show
