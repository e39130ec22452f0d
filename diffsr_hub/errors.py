"""The one error that a user can cause, and how a command ends on it."""

import difflib
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from diffsr_hub import output


class UserError(ValueError):
    """Bad input, in one line: what was wrong and what would be right. Commands print it without a traceback."""

    exit_code = 2


def unknown(kind: str, word: str, known: Iterable[str]) -> UserError:
    """The error for a name that is not among the valid ones: lists them, and guesses the one that was meant.

    Names with slashes are compared by their last part.
    """
    last_parts = {name.rpartition("/")[2]: name for name in sorted(known)}
    close = difflib.get_close_matches(word.rpartition("/")[2], last_parts, n=1)
    guess = f"; did you mean {last_parts[close[0]]}?" if close else ""
    return UserError(f"unknown {kind} {word!r}, valid: {', '.join(last_parts.values()) or 'none'}{guess}")


def plain(value: object) -> str:
    """A stranger's value as one line of printable characters: a terminal obeys the others, and so does a card."""
    line = " ".join(str(value)[:2_000].split())
    return "".join(character for character in line if character.isprintable())[:500]


def on_one_line(error: object) -> str:
    """The text of an error of somebody else, without its line breaks, of reasonable length."""
    return " ".join(str(error).split())[:300]


@contextmanager
def exit_codes() -> Iterator[None]:
    """End the program with one line on a `UserError`, a full disk and the like, and with 130 on Ctrl-C.

    Decorates every `main`, and makes its printing such that it never ends the program.

    Raises:
        SystemExit: in place of these, with 2 on bad input.
    """
    output.harden()
    try:
        yield
        if failure := output.failure(sys.stdout):
            raise UserError(f"the program is through, but its output was lost: {failure.strerror}")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        print(f"error: {error.strerror or error}{where}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None
