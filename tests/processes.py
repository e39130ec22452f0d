"""Programs as a user starts them: real processes, of which none outlives its test."""

import os
import signal
import subprocess
from collections.abc import Sequence

MINUTE = 60  # far more than any of them takes: one that hangs fails


def start(program: Sequence[str], *flags: str, **environment: str) -> subprocess.Popen[str]:
    """Start a program in a process group of its own."""
    return subprocess.Popen(
        [*program, *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
        start_new_session=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Its exit code and what it said; it and its children are gone afterwards."""
    try:
        out, err = process.communicate(timeout=3 * MINUTE)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, out, err
