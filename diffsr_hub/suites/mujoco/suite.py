"""Gymnasium's MuJoCo robots as a suite: new tasks for three of them, and bundled data of five."""

from typing import Any

from diffsr_hub.suites.mujoco.tasks import EPISODE_STEPS, TASKS
from diffsr_hub.suites.suite import Suite


def _registration(task: str) -> dict[str, Any]:
    robot = TASKS[task].robot.env_id.partition("-")[0]
    return {
        "entry_point": f"diffsr_hub.suites.mujoco.environment:{robot}Task",
        "max_episode_steps": EPISODE_STEPS,
        "kwargs": {"env_id": task},
    }


MUJOCO = Suite(
    name="MuJoCo",
    namespace="mujoco",
    env_namespace="diffsr",
    tasks=tuple(TASKS),
    registration=_registration,
    bundled={
        "mujoco/halfcheetah": 1,  # version 0 had two policies, one of them twice
        "mujoco/hopper": 0,
        "mujoco/invertedpendulum": 0,
        "mujoco/swimmer": 0,
        "mujoco/walker2d": 0,
    },
    seen=(*sorted({task.source for task in TASKS.values()}), *TASKS),
    rewards=TASKS,
)
"""a robot's data can be given the rewards of its new tasks"""
