"""Printing that never costs a result: what a stream cannot take is lost, and the program goes on."""

import io
import os
import select
import sys
from contextlib import suppress
from errno import EIO, EPIPE
from typing import Any, TextIO

_GONE = (EPIPE, EIO)
"""errors of a stream whose reader has left: `| head` has read enough, or the terminal was closed"""


class _Channel(io.FileIO):
    """A file descriptor on which a write that fails loses its text, and is remembered."""

    failure: OSError | None = None

    def write(self, text: Any) -> int:
        try:
            while (written := super().write(text)) is None:  # another program made the terminal non-blocking
                select.select([], [self], [])
            return written
        except OSError as error:
            self.failure = error
            return len(text)


def harden() -> None:
    """Make the standard streams of this process such that `print` does not fail, whatever is behind them.

    Characters that the encoding does not have are replaced, and a closed stream becomes one that takes everything.
    Streams that are not the original ones of the process, such as those of a test, stay as they are.
    """
    for name, errors in (("stdout", "replace"), ("stderr", "backslashreplace")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 (as long as the program)
        if isinstance(stream, io.TextIOWrapper) and stream is getattr(sys, f"__{name}__"):
            with suppress(OSError, ValueError):
                setattr(sys, name, _hardened(stream, errors))


def failure(stream: TextIO | None) -> OSError | None:
    """Why text was lost on a hardened stream; None where nothing was, or where its reader had left."""
    channel = getattr(getattr(stream, "buffer", None), "raw", None)
    if stream is None or not isinstance(channel, _Channel):
        return None
    stream.flush()
    return channel.failure if channel.failure and channel.failure.errno not in _GONE else None


def _hardened(stream: io.TextIOWrapper, errors: str) -> io.TextIOWrapper:
    stream.flush()
    channel = _Channel(stream.fileno(), "wb", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(channel),
        encoding=stream.encoding,
        errors=errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
