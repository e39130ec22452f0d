"""Environments seen through a camera: importing this module registers `diffsr/HalfCheetah-pixels-v0` and so on."""

from collections import deque
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from diffsr_hub.suites.meta_world.suite import META_WORLD
from diffsr_hub.suites.mujoco.suite import MUJOCO
from diffsr_hub.suites.pixels.names import pixels_id, view_of
from diffsr_hub.suites.pixels.renderer import Renderer, find_camera
from diffsr_hub.suites.pixels.repeat import Repeat

SETTINGS = ("size", "camera", "samples", "action_repeat", "stack", "spacing")
"""arguments of an image environment that belong to its view; all others are those of the environment that is seen"""
_FILM_SIZE = 480
"""side of pictures for people, in pixels"""


class PixelsEnv(gym.Env[NDArray[np.uint8], NDArray[Any]]):
    """An environment whose observations are its last pictures, `[stack, size, size, 3]`, uint8, the newest one last.

    With a stack of 1 they are `[size, size, 3]`. Before the first step, the first picture stands for those before it.
    Physics, rewards and ends are those of the environment that is seen, its actions repeated. `info["state"]` is what
    it observes itself, for probes; an agent must not read it. OpenGL is needed from the first `reset` on.

    Args:
        env_id: Of the environment that is seen, such as HalfCheetah-v5.
        render_mode: `rgb_array` or None; pictures for people are what is seen, but larger.
        arguments: Settings of the view (`size`, `camera`, `samples`, `action_repeat`, `stack`, `spacing`), and
            arguments of the environment that is seen.

    Attributes:
        view: What decides how an observation looks; its fingerprint is stored with an encoder.

    Raises:
        UserError: A setting makes no sense, or there is no such camera: those that exist are listed.
    """

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012 (Gymnasium's way)

    def __init__(self, env_id: str, render_mode: str | None = None, **arguments: Any) -> None:
        chosen = {name: arguments.pop(name) for name in SETTINGS if name in arguments}
        self.view = replace(view_of(env_id), **chosen)
        self.env = Repeat(gym.make(env_id, disable_env_checker=True, **arguments), self.view.action_repeat)
        find_camera(self._simulation.model, self.view.camera)  # a wrong name is said now, not at the first picture
        frames_per_second = round(self.env.metadata["render_fps"] / self.view.action_repeat)
        self.metadata = self.metadata | {"render_fps": max(1, frames_per_second)}
        self.render_mode = render_mode
        stacked = (self.view.stack, *self.view.frame_shape) if self.view.stack > 1 else self.view.frame_shape
        self.observation_space = gym.spaces.Box(0, 255, stacked, np.uint8)
        self.action_space = self.env.action_space
        self._renderers: dict[int, Renderer] = {}
        self._frames: deque[NDArray[np.uint8]] = deque(maxlen=(self.view.stack - 1) * self.view.spacing + 1)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        """Begin an episode."""
        super().reset(seed=seed)
        state, info = self.env.reset(seed=seed, options=options)
        assert self._frames.maxlen is not None
        self._frames.extend([self.picture()] * self._frames.maxlen)
        return self._observation(), info | {"state": state}

    def step(self, action: NDArray[Any]) -> tuple[NDArray[np.uint8], float, bool, bool, dict[str, Any]]:
        """Let an action act until the next picture, or to the end of the episode."""
        state, reward, terminated, truncated, info = self.env.step(action)
        self._frames.append(self.picture())
        return self._observation(), float(reward), terminated, truncated, info | {"state": state}

    def picture(self) -> NDArray[np.uint8]:
        """The picture `[size, size, 3]` of this moment as an agent sees it; nothing is changed by looking."""
        return self._draw(self.view.size)

    def render(self) -> NDArray[np.uint8] | None:
        """A larger picture for people, or None without a `render_mode`."""
        # Not by Gymnasium's renderer, which draws into whatever context of OpenGL is current: ours, after a step.
        return None if self.render_mode is None else self._draw(_FILM_SIZE)

    def close(self) -> None:
        """Release OpenGL."""
        while self._renderers:
            self._renderers.popitem()[1].close()
        self.env.close()

    def _draw(self, size: int) -> NDArray[np.uint8]:
        if size not in self._renderers:
            self._renderers[size] = Renderer(self._simulation.model, replace(self.view, size=size))
        return self._renderers[size](self._simulation.data)

    @property
    def _simulation(self) -> Any:
        """What holds MuJoCo's model and data: in Meta-World, the package's environment."""
        return getattr(self.env.unwrapped, "robot", self.env.unwrapped)

    def _observation(self) -> NDArray[np.uint8]:
        return np.stack(list(self._frames)[:: self.view.spacing]) if self.view.stack > 1 else self._frames[-1]


def make_frames(env_id: str, size: int) -> gym.Env[NDArray[np.uint8], NDArray[Any]]:
    """An environment, by its own id, whose observations are single pictures `[size, size, 3]`, as datasets hold them.

    Raises:
        UserError: It cannot be seen, or not in this size.
    """
    view_of(env_id)
    return gym.make(pixels_id(env_id), size=size, stack=1)


MUJOCO.register()
META_WORLD.register()
