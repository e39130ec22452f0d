"""Rewards and health of three robots as pure functions of what is observed, so that stored data can be relabelled.

Observations are Gymnasium's, raw: positions without x, then velocities. Every function takes numpy arrays or torch
tensors of any leading shape and answers in kind. Gymnasium pays for the displacement in x, which the observation
does not hold; here the velocity of a step is the mean of the two observed, which is far closer to it than the last.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any, TypeVar

from numpy.typing import NDArray
from torch import Tensor

Array = TypeVar("Array", Tensor, NDArray[Any])
HEIGHT, PITCH = 0, 1
"""where every robot's observation holds the torso's height (m) and pitch (rad)"""
JUMP_WEIGHT = 15.0
"""reward per metre and step: a hop 0.3 m high earns at its top several times what standing does"""


@dataclass(frozen=True)
class Robot:
    """What the rewards have to know of a Gymnasium robot; the numbers are those of its `-v5` environment."""

    env_id: str
    torso: str
    """its body in the MuJoCo model"""
    obs_dim: int
    action_dim: int
    x_velocity: int
    """index in the observation, m/s; z velocity (m/s) and pitch rate (rad/s) follow it"""
    standing_height: float
    """observed height at a reset without noise, m"""
    control_cost: float
    """per squared unit of action"""
    healthy_reward: float = 0.0
    """per step that ends healthy"""
    healthy_height: tuple[float, float] = (-inf, inf)
    """m, exclusive"""
    healthy_pitch: tuple[float, float] = (-inf, inf)
    """rad, exclusive"""
    healthy_state: float = inf
    """bound on the size of everything observed but the height, exclusive"""

    def is_in(self, env_id: str) -> bool:
        """Whether an environment is of this robot: `Hopper-v4` and `diffsr/Hopper-backward-v0` are of `Hopper-v5`'s."""
        return env_id.rpartition("/")[2].partition("-")[0] == self.env_id.partition("-")[0]

    @property
    def can_fall(self) -> bool:
        """Whether there are observations that end an episode."""
        return self.healthy_height != (-inf, inf)


HOPPER = Robot(
    env_id="Hopper-v5",
    torso="torso",
    obs_dim=11,
    action_dim=3,
    x_velocity=5,
    standing_height=1.25,
    control_cost=1e-3,
    healthy_reward=1.0,
    healthy_height=(0.7, inf),
    healthy_pitch=(-0.2, 0.2),
    healthy_state=100.0,
)
HALF_CHEETAH = Robot(
    env_id="HalfCheetah-v5",
    torso="torso",
    obs_dim=17,
    action_dim=6,
    x_velocity=8,
    standing_height=0.0,
    control_cost=0.1,
)
WALKER2D = Robot(
    env_id="Walker2d-v5",
    torso="torso",
    obs_dim=17,
    action_dim=6,
    x_velocity=8,
    standing_height=1.25,
    control_cost=1e-3,
    healthy_reward=1.0,
    healthy_height=(0.8, 2.0),
    healthy_pitch=(-1.0, 1.0),
)


Goal = Callable[[Robot, Array, Array, Array], Array]
"""`goal(robot, obs, action, next_obs)`: the reward `[...]`, without unit, of observations `[..., obs_dim]` and actions
`[..., action_dim]` in the units of the environment"""


def fallen(robot: Robot, obs: Array) -> Array:
    """Where the robot's health rule ends the episode, `[...]` bool, of observations `[..., obs_dim]`.

    Gymnasium bounds Hopper's velocities by ±100 before it clips them to ±10 for the observation, here after it.
    """
    height, pitch, others = obs[..., HEIGHT], obs[..., PITCH], obs[..., 1:]
    if not robot.can_fall:
        return abs(height) < 0  # nowhere
    upright = (robot.healthy_pitch[0] < pitch) & (pitch < robot.healthy_pitch[1])
    high = (robot.healthy_height[0] < height) & (height < robot.healthy_height[1])
    return ~(upright & high & (abs(others) < robot.healthy_state).all(-1))


def forward_velocity(robot: Robot, obs: Array, next_obs: Array) -> Array:
    """Velocity in x during the step, `[...]`, m/s: the mean of the one before it and the one after it."""
    return (obs[..., robot.x_velocity] + next_obs[..., robot.x_velocity]) / 2


def upkeep(robot: Robot, action: Array, next_obs: Array) -> Array:
    """Gymnasium's other two terms, `[...]`: the reward for ending the step healthy less the cost of control."""
    standing = 1.0 - fallen(robot, next_obs) * 1.0
    return robot.healthy_reward * standing - robot.control_cost * (action**2).sum(-1)


def forward(robot: Robot, obs: Array, action: Array, next_obs: Array) -> Array:
    """The robot's own goal: `v + upkeep`."""
    return forward_velocity(robot, obs, next_obs) + upkeep(robot, action, next_obs)


def backward(robot: Robot, obs: Array, action: Array, next_obs: Array) -> Array:
    """The opposite direction: `−v + upkeep`."""
    return -forward_velocity(robot, obs, next_obs) + upkeep(robot, action, next_obs)


def jump(robot: Robot, obs: Array, action: Array, next_obs: Array) -> Array:
    """The torso above where it stands: `15 max(z − z₀, 0) + upkeep`; to crouch before a jump costs nothing."""
    height = (next_obs[..., HEIGHT] - robot.standing_height).clip(min=0.0)
    return JUMP_WEIGHT * height + upkeep(robot, action, next_obs)


def stand(robot: Robot, obs: Array, action: Array, next_obs: Array) -> Array:
    """Upright and still: `1 / (1 + pitch² + vx² + vz² + pitch_rate²) + upkeep`, in SI units after the step."""
    motion = next_obs[..., robot.x_velocity : robot.x_velocity + 3]
    return 1 / (1 + next_obs[..., PITCH] ** 2 + (motion**2).sum(-1)) + upkeep(robot, action, next_obs)


def speed(target: float) -> Goal[Array]:
    """Run at `target` m/s: `target − abs(v − target) + upkeep`, which is the robot's own goal up to that speed."""

    def reward(robot: Robot, obs: Array, action: Array, next_obs: Array) -> Array:
        return target - abs(forward_velocity(robot, obs, next_obs) - target) + upkeep(robot, action, next_obs)

    return reward
