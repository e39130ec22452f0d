"""Laws of a request to stop: every way in which a run can be asked, and none that cuts short what it saves then."""

import os
import signal
import threading
import time

import pytest

from diffsr_hub.runs import interrupt
from diffsr_hub.runs.interrupt import LAUNCHER, StopRequest

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupt, "WATCH_SECONDS", 0.01)
    monkeypatch.delenv(LAUNCHER, raising=False)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_every_signal_that_ends_a_job_asks_for_a_stop(number):
    before, stop = signal.getsignal(number), StopRequest()
    with stop.listening():
        os.kill(os.getpid(), number)
        assert stop.asked
    assert signal.getsignal(number) is before


def test_only_a_second_ctrl_c_interrupts_at_once():
    stop = StopRequest()
    with stop.listening():
        for number in SIGNALS:
            os.kill(os.getpid(), number)  # as a cluster sends one after the other
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_under_nohup_a_closed_terminal_stops_nothing():
    before, stop = signal.signal(signal.SIGHUP, signal.SIG_IGN), StopRequest()
    try:
        with stop.listening():
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop.asked
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_launcher_that_is_gone_asks_for_a_stop(monkeypatch):
    monkeypatch.setenv(LAUNCHER, str(os.getppid() + 1))
    stop = StopRequest()
    with stop.listening():
        deadline = time.monotonic() + 60
        while not stop.asked:
            assert time.monotonic() < deadline
            time.sleep(0.001)


def test_a_launcher_that_lives_does_not(monkeypatch):
    monkeypatch.setenv(LAUNCHER, str(os.getppid()))
    stop = StopRequest()
    with stop.listening():
        time.sleep(0.1)
    assert not stop.asked


def test_in_another_thread_nothing_is_taken():
    seen = []

    def work() -> None:
        with StopRequest().listening():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]
