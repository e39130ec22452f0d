"""The project's new tasks under their public name: importing this module registers `diffsr/<Robot>-<what>-v0`."""

from diffsr_hub.suites.mujoco.tasks import (
    TASKS,
    HalfCheetahTask,
    HopperTask,
    Task,
    TaskEnv,
    Walker2dTask,
    relabel,
    task,
)

__all__ = ["TASKS", "HalfCheetahTask", "HopperTask", "Task", "TaskEnv", "Walker2dTask", "relabel", "task"]
