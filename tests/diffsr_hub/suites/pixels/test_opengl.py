import os
import subprocess
import sys

import pytest

from diffsr_hub.suites.pixels import opengl
from tests.opengl import needs_opengl
from tests.refusal import refusal

DRAW = """
import gymnasium as gym
import diffsr_hub.suites.pixels.environment
envs = [gym.make("diffsr/Hopper-pixels-v0", stack=1) for _ in range(2)]
pictures = [env.reset(seed=0)[0] for env in envs]
assert pictures[0].std() > 10 and (pictures[0] == pictures[1]).all()
"""


def test_without_a_library_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(opengl, "find_library", lambda _: None)
    message = refusal(lambda: opengl.open_context(8))
    assert "neither EGL nor OSMesa" in message and "apt-get install libegl1 libgl1-mesa-dri libopengl0" in message


def test_what_fails_is_said_of_each_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> object:
        raise AttributeError(f"no symbol\nin {name}")

    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(opengl, "find_library", lambda name: name)
    monkeypatch.setattr(opengl, "_backend", broken)
    assert "(egl: no symbol in egl; osmesa: no symbol in osmesa)" in refusal(lambda: opengl.open_context(8))


@needs_opengl
@pytest.mark.parametrize("chosen", [None, "egl"])
def test_a_program_draws_whatever_mujoco_would_choose_and_ends_without_a_word(chosen: str | None) -> None:
    variables = {name: value for name, value in os.environ.items() if name not in ("MUJOCO_GL", "PYOPENGL_PLATFORM")}
    done = subprocess.run(
        [sys.executable, "-c", DRAW],
        env=variables | ({"MUJOCO_GL": chosen} if chosen else {}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
