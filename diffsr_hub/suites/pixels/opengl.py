"""OpenGL without a screen: a context for each renderer, from the library that this machine has."""

import importlib
import os
import sys
from collections.abc import Iterator
from ctypes.util import find_library
from typing import Any, Protocol

from diffsr_hub.errors import UserError, on_one_line

ADVICE = "install a software renderer (Debian and Ubuntu: apt-get install libegl1 libgl1-mesa-dri libopengl0)"
_LIBRARIES = {"egl": "EGL", "osmesa": "OSMesa"}
"""MuJoCo's backends that need no screen → the system library of each, the better one first"""


class Context(Protocol):
    """What MuJoCo calls a GLContext."""

    def make_current(self) -> None:
        """Let the calls of OpenGL that follow draw here."""

    def free(self) -> None:
        """Release it."""


def open_context(size: int) -> Context:
    """A new context that is current.

    `MUJOCO_GL` chooses the library. Where it is not set, Linux draws with EGL, or with OSMesa where that fails, and
    other systems with MuJoCo's own choice.

    Args:
        size: Side of the pictures, in pixels.

    Raises:
        UserError: Nothing here can draw; the message says what to install.
    """
    # Of Mesa's rasteriser: with pictures this small, threads cost more than they bring.
    os.environ.setdefault("LP_NUM_THREADS", "0")
    reasons = []
    for name in _candidates():
        try:
            context = _backend(name)(size, size)
            context.make_current()
            return context
        except Exception as error:  # PyOpenGL, ctypes and drivers raise anything
            reasons.append(f"{name}: {on_one_line(error) or type(error).__name__}")
    raise UserError(f"no OpenGL to draw with ({'; '.join(reasons) or 'neither EGL nor OSMesa is there'}): {ADVICE}")


def _candidates() -> Iterator[str]:
    chosen = os.environ.get("MUJOCO_GL", "").lower().strip()
    if chosen or not sys.platform.startswith("linux"):
        yield chosen or "default"
    else:
        yield from (name for name, library in _LIBRARIES.items() if find_library(library))


def _backend(name: str) -> Any:
    """The class of a backend's contexts."""
    module = f"mujoco.{name}" if name in _LIBRARIES else "mujoco.gl_context"
    return importlib.import_module(module).GLContext
