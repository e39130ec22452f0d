"""The first signal is a question, the second one an interruption, and afterwards signals are as they were."""

import os
import signal
import threading

import pytest

from diffsr_hub.runs.interrupt import StopRequest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_interrupts(number: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    request = StopRequest()
    with pytest.raises(KeyboardInterrupt), request.listening():
        assert not request.asked
        os.kill(os.getpid(), number)
        assert request.asked
        os.kill(os.getpid(), number)
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before


def test_in_another_thread_nothing_is_taken() -> None:
    seen = []

    def work() -> None:
        with StopRequest().listening():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]
