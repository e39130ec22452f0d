"""Laws of a run folder's lock: one process has it, says who it is, and loses it with its life."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from diffsr_hub.errors import UserError
from diffsr_hub.runs.interrupt import LAUNCHER
from diffsr_hub.runs.lock import OWNER, InUse, locked

HOLDS = """
import sys, time
from pathlib import Path
from diffsr_hub.runs.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(LAUNCHER, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))


def test_who_has_it_is_said_and_a_process_that_is_gone_has_it_no_more(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path)], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None and owner.stdout.readline() == "held\n"
        said = rf"in use by process {owner.pid} on .+ since \d{{4}}-\d\d-\d\d .* UTC; wait for it"
        for _ in range(2):  # asking changes nothing
            with pytest.raises(InUse, match=said), locked(tmp_path):
                pass
        os.kill(owner.pid, signal.SIGKILL)
        owner.wait()
        assert (tmp_path / OWNER).exists()
        with locked(tmp_path):
            assert str(os.getpid()) in (tmp_path / OWNER).read_text()
    assert not (tmp_path / OWNER).exists()


def test_an_owner_that_cannot_be_read_is_another_process(tmp_path):
    with locked(tmp_path):
        (tmp_path / OWNER).write_text("{")
        with pytest.raises(UserError, match="in use by another process"), locked(tmp_path):
            pass


def test_a_program_of_a_launcher_waits_for_the_one_before_it_to_save(tmp_path, monkeypatch):
    monkeypatch.setenv(LAUNCHER, "1")
    held, let_go = threading.Event(), threading.Event()

    def save() -> None:
        with locked(tmp_path):
            held.set()
            let_go.wait(60)

    saving = threading.Thread(target=save)
    saving.start()
    held.wait(60)
    threading.Timer(0.2, let_go.set).start()
    with locked(tmp_path):
        assert let_go.is_set()
    saving.join()
