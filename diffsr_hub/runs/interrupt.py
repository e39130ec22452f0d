"""Requests to stop as a question that is answered between two steps: by signals, or by the end of the launcher."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

LAUNCHER = "DIFFSR_LAUNCHER"
"""environment variable: process that started this one, and without which this one is to save and stop"""
WATCH_SECONDS = 1.0
"""between two looks at the launcher"""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""Ctrl-C; the end of a job; a terminal that is closed; what clusters send before the time of a job is up"""


class Stopped(KeyboardInterrupt):
    """A stop was asked for, and everything is saved."""


class StopRequest:
    """Whether a stop was asked for.

    Attributes:
        asked: Becomes true with the first signal, or when the launcher is gone; a second Ctrl-C interrupts at once.
    """

    def __init__(self) -> None:
        self.asked = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take signals and watch the launcher while the context lasts; signals reach the main thread only."""
        with _watching(self):
            if threading.current_thread() is not threading.main_thread():
                yield
                return
            before = {number: signal.getsignal(number) for number in _SIGNALS}
            self.take_signals()
            try:
                yield
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)

    def take_signals(self) -> None:
        """Handle the signals from now on; under `nohup`, a closed terminal stays without effect."""
        for number in _SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = True


@contextmanager
def _watching(request: StopRequest) -> Iterator[None]:
    """Ask for a stop as soon as the launcher is gone: a job whose time is up may be killed without its programs."""
    launcher = os.environ.get(LAUNCHER)
    if launcher is None:
        yield
        return
    through = threading.Event()

    def watch() -> None:
        while str(os.getppid()) == launcher:
            if through.wait(WATCH_SECONDS):
                return
        request.asked = True

    threading.Thread(target=watch, name="launcher", daemon=True).start()
    try:
        yield
    finally:
        through.set()
