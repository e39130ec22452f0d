"""New tasks for known robots: the table of them, and the rewards that stored data can be given.

A task keeps the spaces of `<Robot>-v5` and changes its goal or its dynamics. Its reward and its end are functions of
what is observed, and its environment returns exactly them, so data of the robot can be given the rewards of the task.
"""

from dataclasses import dataclass
from typing import Any

from diffsr_hub.errors import UserError, unknown
from diffsr_hub.suites.env_ids import registered
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

    @property
    def source(self) -> str:
        """The environment whose data can be given these rewards."""
        return self.robot.env_id

    def accepts(self, env_id: str) -> bool:
        """Whether an environment is of the task's robot."""
        return self.robot.is_in(env_id)

    def relabel(self, transitions: Transitions) -> Transitions:
        """The transitions of the task's robot, raw, any leading shape, with the task's `reward` and `terminated`.

        Raises:
            UserError: They have other sizes than its robot's.
        """
        robot = self.robot
        given = (transitions.obs.shape[-1], transitions.action.shape[-1])
        if given != (robot.obs_dim, robot.action_dim):
            raise UserError(
                f"{self.env_id} has observations of {robot.obs_dim} and actions of {robot.action_dim} numbers, "
                f"the transitions have {given[0]} and {given[1]}: only data of {robot.env_id} can be relabelled"
            )
        reward = self.reward(transitions.obs, transitions.action, transitions.next_obs)
        return transitions._replace(
            reward=reward.to(transitions.reward.dtype), terminated=self.terminated(transitions.next_obs)
        )


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
    name = registered(env_id)
    if name.startswith("diffsr/") and name not in TASKS:
        raise unknown("task", env_id, TASKS)
    return TASKS.get(name)


def relabel(env_id: str, transitions: Transitions) -> Transitions:
    """What the transitions of a robot are worth in one of its tasks: other `reward` and `terminated`, nothing else.

    Where the task changes the dynamics, `next_obs` stays that of the robot the data came from.

    Args:
        env_id: a key of `TASKS`, also with a module in front.
        transitions: of the task's robot, raw; any leading shape.

    Raises:
        UserError: the reward of `env_id` is not known as a function, or the transitions have other sizes than its
            robot's. HalfCheetah's and Walker2d's are equal: of which of them they are is the caller's to know.
    """
    found = TASKS.get(registered(env_id))
    if found is None:
        raise unknown("task with a reward function", env_id, TASKS)
    return found.relabel(transitions)
