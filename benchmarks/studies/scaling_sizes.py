"""What the encoders of the scaling study learn from: numbers of tasks and of episodes, and the episodes themselves."""

import random
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from diffsr_hub.data import Episodes
from diffsr_hub.errors import UserError
from diffsr_hub.suites.meta_world.suite import META_WORLD
from pretrain.behaviour.scripted import NOISE_LEVELS

GROUP = "metaworld/ml45-train"
WAYS = 1 + len(NOISE_LEVELS)
"""to behave, which take turns in a dataset: the first episodes have equal shares of them if these are a multiple"""
HELD_OUT = 5
"""episodes of a task at least that its encoders do not learn from, for the curves of their validation"""


class Size(NamedTuple):
    """What an encoder learns from."""

    tasks: tuple[str, ...]
    episodes: int
    """of each task, the first ones"""
    own: bool
    """whether it is the encoder of one probe task"""

    @property
    def name(self) -> str:
        """Of its folder."""
        first = self.tasks[0].rpartition("/")[2] if self.own else str(len(self.tasks))
        return f"{first}-x{self.episodes}"


@cache
def order() -> tuple[str, ...]:
    """The tasks of the group in the order in which they are taken."""
    tasks = list(META_WORLD.members(GROUP))
    random.Random(0).shuffle(tasks)
    return tuple(tasks)


def sizes(counts: Sequence[int], episodes: Sequence[int], total: int, probes: Sequence[str]) -> list[Size]:
    """All that is compared, each once.

    Args:
        counts: Numbers of tasks, of `total` episodes together.
        episodes: Of each task of the largest number.
        total: Episodes.
        probes: The tasks that have an encoder of their own, of `total` episodes.

    Raises:
        UserError: There are not as many tasks, or the episodes would not have equal shares of the ways to behave.
    """
    if not counts or min(*counts, *episodes, total) < 1:
        raise UserError(f"tasks, episodes and total are at least 1, not {counts}, {episodes} and {total}")
    if max(counts) > len(order()):
        raise UserError(f"there are {len(order())} tasks in {GROUP}, not {max(counts)}")
    pairs = [(count, total // count) for count in counts] + [(max(counts), number) for number in episodes]
    if any(total % (count * WAYS) for count in counts) or any(number % WAYS for number in episodes):
        raise UserError(f"a task needs a multiple of {WAYS} episodes: not so of {total} by {counts}, or not {episodes}")
    found = [Size(order()[:count], number, own=False) for count, number in dict.fromkeys(pairs)]
    return found + [Size((probe,), total, own=True) for probe in probes]


def first_episodes(episodes: Episodes, count: int) -> tuple[Tensor, Tensor]:
    """The first `count` episodes of every task, and the `HELD_OUT` after them: two int64 tensors of episode numbers."""
    of_tasks = episodes.episodes_by_task(torch.arange(episodes.num_episodes))
    return torch.cat([ids[:count] for ids in of_tasks]), torch.cat([ids[count : count + HELD_OUT] for ids in of_tasks])
