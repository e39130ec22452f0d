"""The film of a policy: made by whatever renders here, and a line of explanation where nothing does."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import pytest

from diffsr_hub.errors import UserError
from finetune import Agent
from finetune.acting import video
from finetune.acting.video import record


@pytest.fixture
def agent(make_agent: Callable[..., Agent], tmp_path: Path) -> Path:
    make_agent("Hopper-v5", 11, 3).save_pretrained(tmp_path / "agent")
    return tmp_path / "agent"


def refusal(agent: Path, env_id: str, file: Path) -> str:
    with pytest.raises(UserError) as caught:
        record(agent, env_id, file, 2, 0)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500
    return str(caught.value)


def test_a_film_has_a_frame_for_every_step_and_the_first_and_plays_at_the_environments_speed(
    agent: Path, tmp_path: Path
) -> None:
    file = tmp_path / "replay.mp4"
    try:
        record(agent, "Hopper-v5", file, 4, 0)
    except UserError as error:
        pytest.skip(f"this machine renders nothing: {error}")
    frames, seconds = imageio_ffmpeg.count_frames_and_secs(str(file))
    assert (frames, seconds) == (5, pytest.approx(5 / 125, abs=0.01))
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".mp4"] == ["replay.mp4"]


@pytest.mark.parametrize("backend", ["osmesa", "no-such-thing"])
def test_without_a_renderer_one_line_says_what_to_install(
    agent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    monkeypatch.setenv("MUJOCO_GL", backend)
    monkeypatch.setenv("PYOPENGL_PLATFORM", "nonsense")
    (tmp_path / "replay.mp4").write_bytes(b"old")
    assert "MUJOCO_GL=egl" in refusal(agent, "Hopper-v5", tmp_path / "replay.mp4")
    assert (tmp_path / "replay.mp4").read_bytes() == b"old"
    assert not list(tmp_path.glob(".*"))


def test_an_environment_that_cannot_be_made_is_named(agent: Path, tmp_path: Path) -> None:
    assert "Nope" in refusal(agent, "Nope-v0", tmp_path / "replay.mp4")


def test_a_renderer_that_dies_takes_nobody_with_it(
    agent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = subprocess.CompletedProcess([sys.executable], -11, "", "")
    monkeypatch.setattr(video.subprocess, "run", lambda *_, **__: dead)
    monkeypatch.setenv("MUJOCO_GL", "egl")
    assert "the renderer ended with -11" in refusal(agent, "Hopper-v5", tmp_path / "replay.mp4")


@pytest.mark.parametrize(
    ("variables", "libraries", "tried"),
    [
        ({}, {"EGL", "OSMesa"}, ["egl", "osmesa"]),
        ({}, {"OSMesa"}, ["osmesa"]),
        ({}, set(), []),
        ({"DISPLAY": ":0"}, {"EGL"}, [None]),
        ({"MUJOCO_GL": "glfw"}, {"EGL"}, [None]),
    ],
)
def test_the_renderer_is_the_users_the_screens_or_what_is_installed(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], libraries: set[str], tried: list[str | None]
) -> None:
    for name in ("MUJOCO_GL", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(video, "find_library", lambda name: name if name in libraries else None)
    assert [choice.get("MUJOCO_GL") for choice in video._renderers()] == tried
    assert os.environ.get("MUJOCO_GL") == variables.get("MUJOCO_GL")


def test_without_any_library_it_says_so(agent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "_renderers", list)
    assert "no library to render with" in refusal(agent, "Hopper-v5", tmp_path / "replay.mp4")
