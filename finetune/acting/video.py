"""`replay.mp4`: the deterministic policy at work, rendered off the screen.

Drivers crash, and a process can try one kind of OpenGL only: the film is made in a process of its own, this file as a
program.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from ctypes.util import find_library
from pathlib import Path
from typing import Any

if not __package__:
    # Run as a script: import from the checkout, not from this folder.
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import gymnasium as gym
import torch

from diffsr_hub.errors import UserError, exit_codes
from finetune.acting.environments import make
from finetune.acting.evaluation import Policy
from finetune.agent.agent import Agent

_LIBRARIES = {"egl": "EGL", "osmesa": "OSMesa"}
"""MuJoCo's ways to render without a screen → the system library that each needs"""
_ADVICE = "without a screen, install libegl1 and set MUJOCO_GL=egl, or libosmesa6 and MUJOCO_GL=osmesa"


def record(agent: Path, env_id: str, file: Path, max_steps: int, seed: int) -> None:
    """Film one episode; the file is the old one or the new one, never a half.

    Args:
        agent: A folder that `Agent.from_pretrained` loads.
        env_id: A Gymnasium id, made with its defaults.
        file: An `.mp4`, in the environment's own frames per second.
        max_steps: Longest film, in steps of the environment.
        seed: Of the episode.

    Raises:
        UserError: The environment does not render, or this machine cannot; it says what is missing.
    """
    partial = file.with_name(f".{file.stem}.partial{file.suffix}")
    program = [sys.executable, __file__, *map(str, (agent, env_id, partial, max_steps, seed))]
    failures = []
    try:
        for variables in _renderers():
            done = subprocess.run(
                program, env=os.environ | variables, capture_output=True, text=True, errors="replace", check=False
            )
            if done.returncode == 0:
                os.replace(partial, file)
                return
            failures.append(_reason(done))
    finally:
        partial.unlink(missing_ok=True)
    raise UserError(f"no video: {failures[0] if failures else f'no library to render with; {_ADVICE}'}")


def _renderers() -> list[dict[str, str]]:
    """Environment variables to try: a user's own choice, the screen, or what the machine has for no screen."""
    if os.environ.get("MUJOCO_GL") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return [{}]
    return [{"MUJOCO_GL": backend} for backend, library in _LIBRARIES.items() if find_library(library)]


def _reason(done: "subprocess.CompletedProcess[str]") -> str:
    """One line on why there is no film."""
    for line in done.stderr.splitlines():
        if line.startswith("error: "):
            return line.removeprefix("error: ")
    last = (done.stderr.strip() or f"the renderer ended with {done.returncode}").splitlines()[-1]
    return f"{last[:200]}; {_ADVICE}"


@exit_codes()
def main(argv: Sequence[str] | None = None) -> None:
    """Make the film, in the process that may crash."""
    agent, env_id, file, max_steps, seed = sys.argv[1:] if argv is None else argv
    torch.set_num_threads(1)
    try:
        import mujoco  # noqa: F401 (it chooses how to render; Gymnasium would say that it is not installed if it cannot)

        with closing(make(env_id)) as env:
            if "rgb_array" not in env.metadata.get("render_modes", []):
                raise UserError(f"{env_id} does not render into arrays")
        with closing(make(env_id, render_mode="rgb_array")) as env:
            frames = _frames(Agent.from_pretrained(agent), env, int(max_steps), int(seed))
            _write(Path(file), frames, env.metadata.get("render_fps", 30))
    except UserError:
        raise
    except ModuleNotFoundError as error:
        raise UserError(f"it needs {error.name}: pip install 'diffsr-hub[finetune]'") from error
    except Exception as error:  # whatever renderers and codecs raise
        why = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(f"{why}; {_ADVICE}") from error


def _frames(policy: Policy, env: gym.Env[Any, Any], max_steps: int, seed: int) -> Iterator[Any]:
    """Pictures `[height, width, 3]` of one episode, 8 bits a colour."""
    obs, _ = env.reset(seed=seed)
    yield env.render()
    for _ in range(max_steps):
        action, _ = policy.predict(obs[None], deterministic=True)
        obs, _, terminated, truncated, _ = env.step(action[0])
        yield env.render()
        if terminated or truncated:
            return


def _write(file: Path, frames: Iterator[Any], fps: float) -> None:
    """Encode as H.264, as browsers play it: even sizes, and the index first."""
    from imageio_ffmpeg import write_frames

    first = next(frames)
    height, width, _ = first.shape
    options: dict[str, Any] = {"macro_block_size": 2, "output_params": ["-movflags", "+faststart"]}
    with closing(write_frames(str(file), (width, height), fps=fps, ffmpeg_log_level="error", **options)) as writer:
        writer.send(None)
        writer.send(first.tobytes())
        for frame in frames:
            writer.send(frame.tobytes())


if __name__ == "__main__":
    main()
