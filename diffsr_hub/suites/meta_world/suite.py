"""Meta-World as a suite."""

from typing import Any

from diffsr_hub.suites.meta_world.names import GROUPS, NAMESPACE, TASKS
from diffsr_hub.suites.suite import Suite

OFFICIAL_GOALS = 50
"""of every task, in the benchmark of the package (MT1) at seed 0"""


def _registration(task: str) -> dict[str, Any]:
    return {"entry_point": "diffsr_hub.suites.meta_world.environment:MetaWorldEnv", "kwargs": {"task": task}}


META_WORLD = Suite(
    name="Meta-World",
    namespace=NAMESPACE,
    env_namespace=NAMESPACE,
    tasks=TASKS,
    registration=_registration,
    bundled=dict.fromkeys(TASKS, 0),
    groups=GROUPS,
    seen=TASKS,
    evaluation={"goals": "official"},
    evaluation_episodes=OFFICIAL_GOALS,
)
"""fifty tasks, of which an evaluation has one episode of each official goal"""
