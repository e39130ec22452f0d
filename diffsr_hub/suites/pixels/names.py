"""Ids of environments that are seen through a camera: the environment's own, with `-pixels` before its version."""

import re
from typing import Any

from diffsr_hub.errors import UserError
from diffsr_hub.suites.pixels.view import Camera, View

_MARK = "-pixels"
_SEEN = re.compile(r"(.+)/pixels([1-9]\d{0,5})")

VIEWS = {
    "HalfCheetah": View("HalfCheetah", camera=Camera("torso", height=0.45, distance=2.4), samples=4),
    # At 125 steps a second, less than a pixel moves from one to the next.
    "Hopper": View("Hopper", camera=Camera("torso", height=0.75, distance=2.6), samples=4, action_repeat=4),
    "Walker2d": View("Walker2d", camera=Camera("torso", height=0.75, distance=2.6), samples=4, action_repeat=4),
    "metaworld": View("metaworld", camera="corner4", action_repeat=2),  # near the table; the site of the goal is seen
}
"""scene → how it is looked at, unless other settings are asked for"""


def pixels_id(env_id: str) -> str:
    """The id of an environment as it is seen: diffsr/HalfCheetah-pixels-v0 of HalfCheetah-v5.

    Args:
        env_id: HalfCheetah-v5, diffsr/HalfCheetah-jump-v0, metaworld/door-open-v3 and so on.
    """
    stem, _, version = env_id.rpartition("-v")
    return f"{stem}{_MARK}-v{version}" if "/" in env_id else f"diffsr/{stem}{_MARK}-v0"


def seen_namespace(namespace: str, size: int) -> str:
    """Where the data of a namespace lies as it is seen: mujoco/hopper/pixels64 of mujoco/hopper; itself for size 0."""
    return f"{namespace}/pixels{size}" if size else namespace


def split_namespace(namespace: str) -> tuple[str, int]:
    """The other way round: mujoco/hopper and 64 of mujoco/hopper/pixels64; size 0 where nothing is seen."""
    found = _SEEN.fullmatch(namespace)
    return (found[1], int(found[2])) if found else (namespace, 0)


def is_pixels(env_id: str) -> bool:
    """Whether an id is meant for an environment seen through a camera, be there such a one or not."""
    return f"{_MARK}-v" in env_id


def view_of(env_id: str) -> View:
    """How an environment is looked at, by its own id.

    Raises:
        UserError: It cannot be seen.
    """
    namespace, _, name = env_id.rpartition("/")
    scene = namespace if namespace in VIEWS else name.partition("-")[0]
    if scene not in VIEWS:
        raise UserError(f"{env_id} is not seen through a camera: {', '.join(VIEWS)} are")
    return VIEWS[scene]


def registration(env_id: str) -> dict[str, Any]:
    """With what Gymnasium registers an environment, by its own id, as it is seen."""
    return {"entry_point": "diffsr_hub.suites.pixels.environment:PixelsEnv", "kwargs": {"env_id": env_id}}
