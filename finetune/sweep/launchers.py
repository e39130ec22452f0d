"""Where a program runs: on this machine, on Ray, on Slurm.

A launcher is a context that gives one function, `launch(program)`: it blocks until the program has ended, wherever that
is, and returns its exit code. It may be called from many threads at once. All launchers end in `execute`, and all stop
in the same way, by a file that `execute` watches: signals do not reach other machines. Those must share the folders.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from diffsr_hub.errors import UserError
from diffsr_hub.runs.interrupt import LAUNCHER

LauncherName = Literal["serial", "processes", "ray", "slurm", "submitit-local"]
POLL_SECONDS = 0.2
SLURM_DEFAULTS = {"timeout_min": 24 * 60, "cpus_per_task": 1, "mem_gb": 4, "name": "diffsr"}


@dataclass(frozen=True)
class Program:
    """A command to be run by anyone who sees its files."""

    start: tuple[str, ...]
    folder: Path
    """where it runs"""
    log: Path
    """its output is appended there"""
    stop: Path
    """asks for a stop by existing: the command is sent SIGTERM once, and has all the time it needs to save"""
    resume: tuple[str, ...] = ()
    """the command where `started` exists"""
    started: Path | None = None

    @property
    def command(self) -> tuple[str, ...]:
        """What to run now: a cluster may start the same job twice."""
        return self.resume if self.started is not None and self.started.is_file() else self.start


Launch = Callable[[Program], int]
Launcher = Callable[[int, Path, Mapping[str, Any]], AbstractContextManager[Launch]]
"""`launcher(workers, folder, options)`: programs at a time, a folder for the launcher's own files, its own settings"""


def execute(program: Program) -> int:
    """Run a program here, in one thread; returns its exit code, or minus the signal that killed it.

    It gets a process group of its own, so that Ctrl-C in a terminal does not reach it a second time. It is told whose
    child it is, and saves itself where this process is killed; where this process is interrupted, it is asked to save.
    """
    if program.stop.exists():
        return 130
    program.log.parent.mkdir(parents=True, exist_ok=True)
    with program.log.open("ab") as log:
        child = subprocess.Popen(
            program.command,
            cwd=program.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": "1", LAUNCHER: str(os.getpid())},
            start_new_session=True,
        )
        try:
            return _wait(child, program.stop)
        except BaseException as error:
            child.terminate()
            code = child.wait()
            if isinstance(error, Exception):  # what submitit raises when the time of the job is nearly up
                return code
            raise


def _wait(child: "subprocess.Popen[bytes]", stop: Path) -> int:
    """The exit code of a program, which is asked to save itself as soon as the stop file is there."""
    asked = False
    while child.poll() is None:
        if not asked and stop.exists():
            child.terminate()
            asked = True
        time.sleep(POLL_SECONDS)
    return child.returncode


@contextmanager
def here(workers: int, folder: Path, options: Mapping[str, Any]) -> Iterator[Launch]:
    """Programs as children of this process."""
    if options:
        raise UserError(f"processes on this machine take no launcher options, got {', '.join(options)}")
    yield execute


@contextmanager
def on_ray(workers: int, folder: Path, options: Mapping[str, Any]) -> Iterator[Launch]:
    """Programs as Ray tasks of one CPU each: on the cluster of RAY_ADDRESS, or on a local one.

    Args:
        workers: CPUs of a local cluster.
        folder: Not needed; Ray keeps its files in /tmp/ray.
        options: Arguments of `ray.remote`, such as `resources`.

    Raises:
        UserError: Ray is not installed.
    """
    try:
        import ray
    except ModuleNotFoundError as error:
        raise _missing("ray") from error
    before = signal.getsignal(signal.SIGTERM)
    if "RAY_ADDRESS" in os.environ:
        ray.init(log_to_driver=False)
    else:
        os.environ.setdefault("RAY_worker_niceness", "0")  # not 15, which leaves runs to starve beside anything else
        ray.init("local", num_cpus=workers, include_dashboard=False, log_to_driver=False, configure_logging=False)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)  # Ray takes it, and keeps it after its shutdown
    task = ray.remote(**{"num_cpus": 1, "max_retries": 0, **options})(execute)
    try:
        yield lambda program: int(ray.get(task.remote(program)))
    finally:
        ray.shutdown()


@contextmanager
def on_slurm(workers: int, folder: Path, options: Mapping[str, Any], *, cluster: str = "slurm") -> Iterator[Launch]:
    """Programs as jobs of submitit.

    Args:
        workers: Jobs that are queued or running at a time; counted by the caller.
        folder: For submitit's own files.
        options: Arguments of `submitit.AutoExecutor.update_parameters`, such as `timeout_min` and `slurm_partition`.
        cluster: `slurm`, or `local` for submitit's processes on this machine.

    Raises:
        UserError: Submitit is not installed, there is no Slurm, or an option is none of submitit's.
    """
    try:
        import submitit
    except ModuleNotFoundError as error:
        raise _missing("slurm") from error
    try:
        executor = submitit.AutoExecutor(folder=folder / "submitit", cluster=cluster)
        executor.update_parameters(**{**SLURM_DEFAULTS, **options})
    except (RuntimeError, NameError, TypeError, ValueError) as error:
        raise UserError(f"submitit cannot use {cluster}: {' '.join(str(error).split())}") from error

    def launch(program: Program) -> int:
        job = executor.submit(execute, program)
        while not job.done():
            if program.stop.exists() and job.state == "PENDING":
                job.cancel()
            time.sleep(POLL_SECONDS)
        return int(job.result())

    yield launch


@contextmanager
def on_submitit_local(workers: int, folder: Path, options: Mapping[str, Any]) -> Iterator[Launch]:
    """The code path of `on_slurm` on this machine."""
    with on_slurm(workers, folder, options, cluster="local") as launch:
        yield launch


LAUNCHERS: dict[LauncherName, Launcher] = {
    "serial": here,
    "processes": here,
    "ray": on_ray,
    "slurm": on_slurm,
    "submitit-local": on_submitit_local,
}


def _missing(extra: str) -> UserError:
    """The error for an extra that is not installed."""
    return UserError(f"this launcher needs an extra: pip install 'diffsr-hub[{extra}]'")
