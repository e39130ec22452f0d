"""The environments of the new tasks: Gymnasium's robots with the goals and the dynamics of `tasks.TASKS`."""

from collections.abc import Callable
from typing import Any

import mujoco
import numpy as np
from gymnasium.envs.mujoco import MujocoEnv
from gymnasium.envs.mujoco.half_cheetah_v5 import HalfCheetahEnv
from gymnasium.envs.mujoco.hopper_v5 import HopperEnv
from gymnasium.envs.mujoco.walker2d_v5 import Walker2dEnv
from gymnasium.utils import EzPickle
from numpy.typing import NDArray

from diffsr_hub.errors import unknown
from diffsr_hub.suites.mujoco.tasks import TASKS, Task

RENDERING = {"render_mode", "width", "height", "camera_id", "camera_name", "default_camera_config", "max_geom"}
FREE_ARGUMENTS = RENDERING | {"visual_options", "reset_noise_scale"}
"""of the robot's environment, those that change neither spaces nor goal nor dynamics"""


def change_dynamics(entry: Task, model: mujoco.MjModel, data: mujoco.MjData) -> None:
    """Edit one environment's own model in place; what MuJoCo derives from masses is derived anew."""
    torso = model.body(entry.robot.torso).id
    model.body_mass[torso] *= entry.torso_mass
    model.body_inertia[torso] *= entry.torso_mass
    model.actuator_gear[:] *= entry.gear
    model.geom_friction[:, 0] *= entry.friction  # a contact takes the larger of its two surfaces' numbers
    if entry.torso_mass != 1.0 or entry.gear != 1.0:
        mujoco.mj_setConst(model, data)
        mujoco.mj_resetData(model, data)


class TaskEnv(MujocoEnv, EzPickle):
    """A robot's environment with the goal and the dynamics of a task.

    `info` keeps Gymnasium's terms, which belong to the robot's own reward and do not add up to the task's.

    Args:
        env_id: a key of `TASKS`.
        arguments: of the robot's environment, those of `FREE_ARGUMENTS`.
    """

    _get_obs: Callable[[], NDArray[Any]]  # of the robot's environment

    def __init__(self, env_id: str, **arguments: Any) -> None:
        refused = sorted(arguments.keys() - FREE_ARGUMENTS)
        if refused:
            raise unknown(f"argument of {env_id}", refused[0], FREE_ARGUMENTS)
        super().__init__(**arguments)
        EzPickle.__init__(self, env_id, **arguments)
        self.task = TASKS[env_id]
        change_dynamics(self.task, self.model, self.data)

    def step(self, action: NDArray[Any]) -> tuple[NDArray[np.float64], Any, bool, bool, dict[str, Any]]:
        """Advance the robot by one step; reward and end are the task's functions of what is observed."""
        obs = self._get_obs()
        next_obs, _, _, truncated, info = super().step(action)
        reward = float(self.task.reward(obs, action, next_obs))
        return next_obs, reward, bool(self.task.terminated(next_obs)), truncated, info


class HopperTask(TaskEnv, HopperEnv):
    """Hopper with another goal or other dynamics."""


class HalfCheetahTask(TaskEnv, HalfCheetahEnv):
    """HalfCheetah with another goal or other dynamics."""


class Walker2dTask(TaskEnv, Walker2dEnv):
    """Walker2d with another goal or other dynamics."""
