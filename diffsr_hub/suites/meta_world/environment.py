"""Meta-World's tasks as Gymnasium environments: importing this module registers `metaworld/door-open-v3` and so on.

The package's own environments ignore the seed of `reset`, refuse to be reset before they were given a task, and keep an
observation space in which the goal is hidden when it is not. Here `reset(seed=…)` decides the goal and everything else.
"""

import copy
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any, Literal

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from packaging.requirements import Requirement
from packaging.version import Version

from diffsr_hub.errors import UserError, unknown
from diffsr_hub.suites.meta_world.suite import META_WORLD, OFFICIAL_GOALS

EPISODE_STEPS = 500
"""after which an episode is truncated; nothing ever terminates one"""
GOALS = ("random", "official")
CAMERA = "corner2"
"""of the pictures, if no other is asked for; Meta-World's papers show this one"""
_OLDEST = "3.1"


class MetaWorldEnv(gym.Env[NDArray[np.float64], NDArray[np.float32]]):
    """One task. Observations `[39]`, float64: hand (3), gripper, two objects (14), these 18 one step before, goal (3).

    Every reset draws a goal and the places of the objects, as MT1's tasks were drawn, from the seed of `reset` (or goes
    on from there without one). `info["success"]` says whether the task is solved at this step; an episode goes on.

    Args:
        task: Such as metaworld/door-open-v3.
        goals: `random`: any. `official`: the fifty of MT1 at seed 0, of which `reset(seed=k)` takes number k modulo 50.
        hide_goal: Whether the last three numbers are 0, as in the benchmarks of meta-learning (ML1, ML10, ML45).
        arguments: Of the package's environment: `render_mode`, `camera_name`, `width`, `height`.

    Raises:
        UserError: There is no such task or there are no such goals, or Meta-World cannot be used here.
    """

    metadata = {"render_modes": ["human", "rgb_array", "depth_array"], "render_fps": 80}  # noqa: RUF012 (Gymnasium's way)

    def __init__(
        self,
        task: str,
        *,
        goals: Literal["random", "official"] = "random",
        hide_goal: bool = False,
        **arguments: Any,
    ) -> None:
        META_WORLD.check_task(task)
        if goals not in GOALS:
            raise unknown("goals", goals, GOALS)
        check_installation()
        self.task, self.goals, self.hide_goal = task, goals, hide_goal
        self.robot: Any = _robot_class(_name(task))(**{"camera_name": CAMERA} | arguments)
        self.robot._set_task_called = True
        self.robot._freeze_rand_vec, self.robot.seeded_rand_vec = False, True
        self.render_mode, self.action_space = self.robot.render_mode, self.robot.action_space
        self._show_goal(not hide_goal)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float64], dict[str, Any]]:
        """Begin an episode; without a seed, with the next goal of the seed before."""
        super().reset(seed=seed)
        if self.goals == "official":
            number = int(self.np_random.integers(OFFICIAL_GOALS)) if seed is None else seed % OFFICIAL_GOALS
            self.robot.set_task(_official_goals(_name(self.task))[number])
            self._show_goal(not self.hide_goal)
        self.robot.seed(int(self.np_random.integers(2**31)))
        obs, info = self.robot.reset()
        assert isinstance(self.observation_space, gym.spaces.Box)
        # Later observations are clipped to their space by the package, the first one is not.
        return np.clip(obs, self.observation_space.low, self.observation_space.high), info

    def step(self, action: NDArray[Any]) -> tuple[NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        """One step of 1/80 s; actions in [-1, 1]: hand x, y, z by at most 1 cm, and the gripper's force."""
        obs, reward, terminated, truncated, info = self.robot.step(action)
        return obs, float(reward), terminated, truncated, info

    def render(self) -> Any:
        """A picture, as `render_mode` says; the package's cameras in the corners hang upside down, these do not."""
        picture = self.robot.render()
        upside_down = isinstance(picture, np.ndarray) and (self.robot.camera_name or "").startswith("corner")
        return np.rot90(picture, 2).copy() if upside_down else picture

    def close(self) -> None:
        """Release the renderer."""
        self.robot.close()

    def _show_goal(self, shown: bool) -> None:
        """Put the goal into the observations or 0 in its place, and tell the space, which the package forgets."""
        self.robot._partially_observable = not shown
        self.robot.__dict__.pop("sawyer_observation_space", None)
        self.observation_space = self.robot.observation_space = self.robot.sawyer_observation_space


@cache
def check_installation() -> None:
    """Find out whether Meta-World can be used here.

    Raises:
        UserError: It is missing or too old, or MuJoCo is not the version that it needs.
    """
    try:
        found, needed = version("metaworld"), [Requirement(line) for line in requires("metaworld") or ()]
    except PackageNotFoundError:
        raise UserError("Meta-World is not installed: pip install 'diffsr-hub[metaworld]'") from None
    if Version(found) < Version(_OLDEST):
        raise UserError(f"metaworld {found} is too old, {_OLDEST} is needed: pip install 'diffsr-hub[metaworld]'")
    for requirement in needed:
        mujoco = version("mujoco") if requirement.name == "mujoco" else None
        if mujoco is not None and not requirement.specifier.contains(mujoco):
            raise UserError(f"metaworld {found} needs {requirement}, not {mujoco}: pip install '{requirement}'")


def _name(task: str) -> str:
    """What the package calls a task."""
    return task.rpartition("/")[2]


@cache
def _robot_class(name: str) -> type[Any]:
    """The package's environment of a task, its model compiled once a process: that takes 0.2 s, a copy 15 ms."""
    from metaworld.env_dict import ALL_V3_ENVIRONMENTS

    original = ALL_V3_ENVIRONMENTS[name]
    return type(original.__name__, (original,), {"_initialize_simulation": _initialize_simulation})


def _initialize_simulation(robot: Any) -> tuple[Any, Any]:
    """In place of `MujocoEnv._initialize_simulation`."""
    import mujoco

    model = copy.copy(_compiled(robot.fullpath))
    model.vis.global_.offwidth = max(model.vis.global_.offwidth, robot.width)
    model.vis.global_.offheight = max(model.vis.global_.offheight, robot.height)
    return model, mujoco.MjData(model)


@lru_cache(maxsize=4)  # of 22 MB each
def _compiled(path: str) -> Any:
    import mujoco

    return mujoco.MjModel.from_xml_path(path)


@cache
def _official_goals(name: str) -> Any:
    import metaworld

    return metaworld.MT1(name, seed=0).train_tasks


META_WORLD.register()
