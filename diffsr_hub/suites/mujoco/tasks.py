"""New tasks for known robots, as Gymnasium ids: importing this module registers `diffsr/<Robot>-<what>-v0`.

A task keeps the spaces of `<Robot>-v5` and changes its goal or its dynamics. Its reward and its end are functions of
what is observed, and its environment returns exactly them, so data of the robot can be given the rewards of the task.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
from gymnasium.envs.mujoco import MujocoEnv
from gymnasium.envs.mujoco.half_cheetah_v5 import HalfCheetahEnv
from gymnasium.envs.mujoco.hopper_v5 import HopperEnv
from gymnasium.envs.mujoco.walker2d_v5 import Walker2dEnv
from gymnasium.utils import EzPickle
from numpy.typing import NDArray

from diffsr_hub.errors import UserError, unknown
from diffsr_hub.suites.mujoco.rewards import (
    HALF_CHEETAH,
    HOPPER,
    WALKER2D,
    Array,
    Goal,
    Robot,
    backward,
    fallen,
    forward,
    jump,
    speed,
    stand,
)
from diffsr_hub.transitions import Transitions

EPISODE_STEPS = 1000
"""after which an episode is truncated, as of the robots' own environments"""
RENDERING = {"render_mode", "width", "height", "camera_id", "camera_name", "default_camera_config", "max_geom"}
FREE_ARGUMENTS = RENDERING | {"visual_options", "reset_noise_scale"}
"""of the robot's environment, those that change neither spaces nor goal nor dynamics"""


@dataclass(frozen=True)
class Task:
    """One line of the table below."""

    env_id: str
    robot: Robot
    summary: str
    """what is asked for, or what is different, in one sentence"""
    goal: Goal[Any]
    torso_mass: float = 1.0
    """factor on the mass of the torso and on its inertia"""
    gear: float = 1.0
    """factor on the torque of every motor"""
    friction: float = 1.0
    """factor on the sliding friction of every surface"""

    def reward(self, obs: Array, action: Array, next_obs: Array) -> Array:
        """The reward of steps, `[...]`.

        Args:
            obs: raw observations before them, `[..., obs_dim]`; SI units.
            action: in the units of the environment, which are [-1, 1] for every task, `[..., action_dim]`.
            next_obs: raw observations after them, `[..., obs_dim]`.
        """
        return self.goal(self.robot, obs, action, next_obs)

    def terminated(self, next_obs: Array) -> Array:
        """Whether steps that lead to `next_obs` `[..., obs_dim]` end their episode, `[...]` bool."""
        return fallen(self.robot, next_obs)


HEAVY, WEAK, ICE = 1.5, 0.7, 0.3

_TABLE = (
    Task("diffsr/Hopper-backward-v0", HOPPER, "Hop backwards, fast.", backward),
    Task("diffsr/Hopper-jump-v0", HOPPER, "Keep the torso high in the air.", jump),
    Task("diffsr/Hopper-speed1-v0", HOPPER, "Hop forwards at 1 m/s.", speed(1.0)),
    Task("diffsr/Hopper-stand-v0", HOPPER, "Stand still and upright.", stand),
    Task(
        "diffsr/Hopper-heavy-v0", HOPPER, "Hop forwards with a torso of 1.5 times the mass.", forward, torso_mass=HEAVY
    ),
    Task("diffsr/Hopper-weak-v0", HOPPER, "Hop forwards with motors of 0.7 times the torque.", forward, gear=WEAK),
    Task("diffsr/Hopper-ice-v0", HOPPER, "Hop forwards on 0.3 times the friction.", forward, friction=ICE),
    Task("diffsr/HalfCheetah-backward-v0", HALF_CHEETAH, "Run backwards, fast.", backward),
    Task("diffsr/HalfCheetah-jump-v0", HALF_CHEETAH, "Keep the torso high in the air.", jump),
    Task("diffsr/HalfCheetah-speed2-v0", HALF_CHEETAH, "Run forwards at 2 m/s.", speed(2.0)),
    Task("diffsr/HalfCheetah-stand-v0", HALF_CHEETAH, "Stand still and level.", stand),
    Task(
        "diffsr/HalfCheetah-heavy-v0",
        HALF_CHEETAH,
        "Run with a torso of 1.5 times the mass.",
        forward,
        torso_mass=HEAVY,
    ),
    Task("diffsr/HalfCheetah-weak-v0", HALF_CHEETAH, "Run with motors of 0.7 times the torque.", forward, gear=WEAK),
    Task("diffsr/HalfCheetah-ice-v0", HALF_CHEETAH, "Run on 0.3 times the friction.", forward, friction=ICE),
    Task("diffsr/Walker2d-backward-v0", WALKER2D, "Walk backwards, fast.", backward),
    Task("diffsr/Walker2d-jump-v0", WALKER2D, "Keep the torso high in the air.", jump),
    Task("diffsr/Walker2d-speed1-v0", WALKER2D, "Walk forwards at 1 m/s.", speed(1.0)),
    Task("diffsr/Walker2d-stand-v0", WALKER2D, "Stand still and upright.", stand),
    Task("diffsr/Walker2d-heavy-v0", WALKER2D, "Walk with a torso of 1.5 times the mass.", forward, torso_mass=HEAVY),
    Task("diffsr/Walker2d-weak-v0", WALKER2D, "Walk with motors of 0.7 times the torque.", forward, gear=WEAK),
    Task("diffsr/Walker2d-ice-v0", WALKER2D, "Walk on 0.3 times the friction.", forward, friction=ICE),
)
TASKS: dict[str, Task] = {entry.env_id: entry for entry in _TABLE}


def task(env_id: str) -> Task | None:
    """The task behind a Gymnasium id; None for the ids of others.

    Raises:
        UserError: the id starts with `diffsr/` and is none of ours.
    """
    if env_id.startswith("diffsr/") and env_id not in TASKS:
        raise unknown("task", env_id, TASKS)
    return TASKS.get(env_id)


def relabel(env_id: str, transitions: Transitions) -> Transitions:
    """What the transitions of a robot are worth in one of its tasks: other `reward` and `terminated`, nothing else.

    Where the task changes the dynamics, `next_obs` stays that of the robot the data came from.

    Args:
        env_id: a key of `TASKS`.
        transitions: of the task's robot, raw; any leading shape.

    Raises:
        UserError: the reward of `env_id` is not known as a function, or the transitions have other sizes than its
            robot's. HalfCheetah's and Walker2d's are equal: of which of them they are is the caller's to know.
    """
    found = TASKS.get(env_id)
    if found is None:
        raise unknown("task with a reward function", env_id, TASKS)
    robot = found.robot
    given = (transitions.obs.shape[-1], transitions.action.shape[-1])
    if given != (robot.obs_dim, robot.action_dim):
        raise UserError(
            f"{env_id} has observations of {robot.obs_dim} and actions of {robot.action_dim} numbers, "
            f"the transitions have {given[0]} and {given[1]}: only data of {robot.env_id} can be relabelled"
        )
    reward = found.reward(transitions.obs, transitions.action, transitions.next_obs)
    return transitions._replace(
        reward=reward.to(transitions.reward.dtype), terminated=found.terminated(transitions.next_obs)
    )


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


_CLASSES = {HOPPER: HopperTask, HALF_CHEETAH: HalfCheetahTask, WALKER2D: Walker2dTask}

for _entry in _TABLE:
    if _entry.env_id not in gym.registry:
        gym.register(
            _entry.env_id,
            entry_point=f"{__name__}:{_CLASSES[_entry.robot].__name__}",
            max_episode_steps=EPISODE_STEPS,
            kwargs={"env_id": _entry.env_id},
        )
