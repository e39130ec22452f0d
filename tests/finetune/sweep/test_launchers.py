"""Every launcher really runs: processes, a local cluster of Ray, submitit's local executor."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_args

import pytest

from diffsr_hub.errors import UserError
from finetune.sweep.carry_out import last_line
from finetune.sweep.launchers import LAUNCHERS, Launch, LauncherName, Program, execute
from finetune.sweep.plan import plan, write_down

SAY = "import os; print(os.environ['OMP_NUM_THREADS'], os.getcwd()); raise SystemExit(int(input_code))"
SAVES = """
import pathlib, signal, sys, time
def save(*_):
    print("saved", flush=True)
    sys.exit(130)
signal.signal(signal.SIGTERM, save)
print("up", flush=True)
time.sleep(60)
"""


def python(tmp_path: Path, code: str, name: str = "run") -> Program:
    return Program((sys.executable, "-c", code), folder=tmp_path, log=tmp_path / f"{name}.log", stop=tmp_path / "stop")


def exits(tmp_path: Path, code: int, name: str) -> Program:
    return python(tmp_path, SAY.replace("input_code", str(code)), name)


@pytest.fixture(scope="module", params=["processes", "ray", "submitit-local"])
def launch(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launch]:
    with LAUNCHERS[request.param](2, tmp_path_factory.mktemp("launcher"), {}) as launch:
        yield launch


def test_programs_run_side_by_side_with_their_logs_and_exit_codes(launch: Launch, tmp_path: Path) -> None:
    programs = [exits(tmp_path, code, f"run{code}") for code in (0, 3)]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(launch, programs)) == [0, 3]
    for program in programs:
        assert program.log.read_text() == f"1 {tmp_path.resolve()}\n"


def test_the_stop_file_lets_a_program_save_itself(launch: Launch, tmp_path: Path) -> None:
    program = python(tmp_path, SAVES)
    with ThreadPoolExecutor(1) as pool:
        ending = pool.submit(launch, program)
        while not (program.log.is_file() and program.log.read_text()):
            time.sleep(0.05)
        program.stop.touch()
        assert ending.result(timeout=30) == 130
    assert program.log.read_text() == "up\nsaved\n"


def test_where_the_stop_file_is_nothing_starts(launch: Launch, tmp_path: Path) -> None:
    program = exits(tmp_path, 0, "late")
    program.stop.touch()
    assert launch(program) == 130
    assert not program.log.exists()


def test_a_planned_run_comes_to_its_agent(launch: Launch, tmp_path: Path) -> None:
    """A real training, wherever it is."""
    settings = {"learning_starts": 10, "total_steps": 20, "eval_episodes": 1, "batch_size": 4, "video_steps": 0}
    (run,) = plan(["InvertedPendulum-v5"], {"scratch": settings}, [0], tmp_path, {})
    write_down([run])
    assert launch(run.program(tmp_path / "stop")) == 0, last_line(run.log)
    assert run.complete


LISTENS = """
import time
from diffsr_hub.runs.interrupt import StopRequest
stop = StopRequest()
with stop.listening():
    print("up", flush=True)
    while not stop.asked:
        time.sleep(0.02)
print("saved", flush=True)
"""
EXECUTES = """
import sys
from pathlib import Path
from typing import get_args
from finetune.sweep.launchers import Program, execute
folder = Path(sys.argv[1])
execute(Program((sys.executable, "-c", sys.argv[2]), folder=folder, log=folder / "run.log", stop=folder / "stop"))
"""


def _when_it_says(log: Path, text: str) -> None:
    deadline = time.monotonic() + 120
    while not (log.is_file() and text in log.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_program_whose_launcher_is_killed_saves_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    with subprocess.Popen([sys.executable, "-c", EXECUTES, str(tmp_path), LISTENS]) as launcher:
        _when_it_says(tmp_path / "run.log", "up")
        launcher.kill()
    _when_it_says(tmp_path / "run.log", "saved")


def test_a_program_whose_launcher_is_interrupted_saves_itself_first(tmp_path: Path) -> None:
    """As submitit does when the time of a job is nearly up."""

    def time_is_up(*_: object) -> None:
        raise TimeoutError

    program = python(tmp_path, SAVES)
    before = signal.signal(signal.SIGUSR2, time_is_up)
    main = threading.get_ident()

    def interrupt() -> None:
        _when_it_says(program.log, "up")
        signal.pthread_kill(main, signal.SIGUSR2)

    try:
        threading.Thread(target=interrupt).start()
        assert execute(program) == 130
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert program.log.read_text() == "up\nsaved\n"


def test_a_job_that_is_started_twice_resumes(tmp_path: Path) -> None:
    says = [(sys.executable, "-c", f"print({word!r})") for word in ("start", "resume")]
    started = tmp_path / "config.yaml"
    program = Program(says[0], tmp_path, tmp_path / "run.log", tmp_path / "stop", resume=says[1], started=started)
    execute(program)
    started.touch()
    execute(program)
    assert program.log.read_text() == "start\nresume\n"


def test_a_second_attempt_adds_to_the_log(tmp_path: Path) -> None:
    for code in (3, 0):
        assert execute(exits(tmp_path, code, "run")) == code
    assert len((tmp_path / "run.log").read_text().splitlines()) == 2


def test_a_killed_program_has_minus_its_signal(tmp_path: Path) -> None:
    assert execute(python(tmp_path, "import os; os.kill(os.getpid(), 9)")) == -9


def test_a_program_has_a_process_group_of_its_own(tmp_path: Path) -> None:
    execute(python(tmp_path, "import os; print(os.getpgid(0))"))
    assert int((tmp_path / "run.log").read_text()) != os.getpgid(0)


@pytest.mark.parametrize(("launcher", "package"), [("ray", "ray"), ("slurm", "submitit")])
def test_a_missing_package_names_its_extra(
    launcher: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with (
        pytest.raises(UserError, match=rf"pip install 'diffsr-hub\[{launcher}\]'"),
        LAUNCHERS[launcher](1, tmp_path, {}),
    ):
        pass


def test_slurm_where_there_is_none_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="submitit cannot use slurm: "), LAUNCHERS["slurm"](1, tmp_path, {}):
        pass


def test_an_unknown_option_is_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match=r"submitit cannot use local: .*tmeout_min"),
        LAUNCHERS["submitit-local"](1, tmp_path, {"tmeout_min": 3}),
    ):
        pass
    with pytest.raises(UserError, match="no launcher options, got x"), LAUNCHERS["serial"](1, tmp_path, {"x": 3}):
        pass


def test_every_name_has_a_launcher() -> None:
    assert set(LAUNCHERS) == set(get_args(LauncherName))
