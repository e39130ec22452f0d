"""The project's new tasks under their public name: importing this module registers `diffsr/<Robot>-<what>-v0`."""

from diffsr_hub.suites.mujoco.environment import HalfCheetahTask, HopperTask, TaskEnv, Walker2dTask
from diffsr_hub.suites.mujoco.suite import MUJOCO
from diffsr_hub.suites.mujoco.tasks import TASKS, Task, relabel, task

__all__ = ["TASKS", "HalfCheetahTask", "HopperTask", "Task", "TaskEnv", "Walker2dTask", "relabel", "task"]

MUJOCO.register()
