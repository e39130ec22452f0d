"""A suite of tasks as one object: its names, its datasets, its environments, its evaluations and its rewards."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from diffsr_hub.errors import UserError, unknown
from diffsr_hub.suites.pixels.names import pixels_id
from diffsr_hub.suites.pixels.names import registration as pixels_registration
from diffsr_hub.transitions import Transitions

WITHOUT = "-without-"
"""between a group and the one task of it that is left out"""


class Rewards(Protocol):
    """What a task pays for data, also for data of others, as a function of what is observed."""

    @property
    def source(self) -> str:
        """The environment whose data can be given these rewards, such as Hopper-v5."""

    def accepts(self, env_id: str) -> bool:
        """Whether data of an environment, by its registered id, can be given these rewards."""

    def relabel(self, transitions: Transitions) -> Transitions:
        """The same transitions with other `reward` and `terminated`."""


@dataclass(frozen=True)
class Suite:
    """A family of tasks; `known.SUITES` lists those of the project.

    Nothing here imports what the tasks are simulated with, before an environment is made.
    """

    name: str
    """in messages, such as Meta-World"""
    namespace: str
    """the first part of the names of its datasets and groups"""
    env_namespace: str
    """the first part of the ids of its environments"""
    tasks: tuple[str, ...]
    """ids of its environments"""
    registration: Callable[[str], dict[str, Any]]
    """of the id of a task: the arguments with which Gymnasium registers it"""
    bundled: Mapping[str, int]
    """namespaces whose dataset can be collected here, each with the version of that dataset"""
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """names that stand for several of these namespaces"""
    seen: tuple[str, ...] = ()
    """ids of environments of which there is one more each, seen through a camera"""
    rewards: Mapping[str, Rewards] = field(default_factory=dict)
    """of those tasks whose rewards are known as functions"""
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    """arguments with which an environment is made in order to measure a policy"""
    evaluation_episodes: int | None = None
    """how many episodes of an evaluation can differ; None for any number"""

    def register(self) -> None:
        """Make the environments known to Gymnasium."""
        import gymnasium

        made = {task: self.registration(task) for task in self.tasks}
        made |= {pixels_id(env_id): pixels_registration(env_id) for env_id in self.seen}
        for env_id, arguments in made.items():
            if env_id not in gymnasium.registry:
                gymnasium.register(env_id, **arguments)

    def is_group(self, word: str) -> bool:
        """Whether a word is meant for a group, or for one without a task, whether there is one or not."""
        return word in self.groups or (bool(self.groups) and WITHOUT in word)

    def members(self, word: str) -> tuple[str, ...]:
        """The namespaces that a word names: those of a group, or all but one of them, or the one namespace itself.

        Raises:
            UserError: It is none of these.
        """
        if self.is_group(word):
            return self.groups[word] if word in self.groups else self._all_but_one(word)
        if word not in self.bundled:
            kind = "task or group" if self.groups else "bundled dataset"
            raise unknown(f"{self.name} {kind}", word, (*self.bundled, *self.groups))
        return (word,)

    def check_task(self, env_id: str) -> None:
        """Refuse the id of an environment that is none of this suite.

        Raises:
            UserError: With what it may have meant.
        """
        if env_id in self.groups:
            raise UserError(f"{env_id} is a group; name one of its tasks: {', '.join(self.groups[env_id])}")
        if env_id not in self.tasks and env_id not in map(pixels_id, self.seen):
            raise unknown(f"{self.name} task", env_id, self.tasks)

    def _all_but_one(self, word: str) -> tuple[str, ...]:
        """Of `metaworld/mt50-without-door-open-v3`."""
        group, _, name = word.partition(WITHOUT)
        task = f"{self.namespace}/{name}"
        if group not in self.groups:
            raise unknown(f"{self.name} group", group, self.groups)
        if task not in self.bundled:
            raise unknown(f"{self.name} task", task, self.bundled)
        if task not in self.groups[group]:
            raise UserError(f"{word!r}: {group} does not have {task}: write {group}")
        return tuple(member for member in self.groups[group] if member != task)
