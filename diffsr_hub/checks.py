"""What several settings refuse in the same words, each in one short line: a value may come from a hostile file."""

import reprlib
from typing import Any

from diffsr_hub.errors import UserError

MAX_SIZE, MAX_LAYERS = 65_536, 64
"""of any network of ours"""


def require(holds: bool, message: str) -> None:
    """Refuse with a message where something does not hold.

    Raises:
        UserError: It does not.
    """
    if not holds:
        raise UserError(message)


def at_least_one(config: Any, *names: str) -> None:
    """Refuse settings below 1.

    Raises:
        UserError: One is.
    """
    for name in names:
        require(getattr(config, name) >= 1, f"{name} must be at least 1, got {getattr(config, name)}")


def not_negative(config: Any, *names: str) -> None:
    """Refuse settings below 0.

    Raises:
        UserError: One is.
    """
    for name in names:
        require(getattr(config, name) >= 0, f"{name} must not be negative, got {getattr(config, name)}")


def positive(config: Any, *names: str) -> None:
    """Refuse settings that are 0 or below.

    Raises:
        UserError: One is.
    """
    for name in names:
        require(getattr(config, name) > 0, f"{name} must be positive, got {getattr(config, name)}")


def in_unit_interval(config: Any, *names: str) -> None:
    """Refuse settings outside [0, 1].

    Raises:
        UserError: One is.
    """
    for name in names:
        require(0 <= getattr(config, name) <= 1, f"{name} must be in [0, 1], got {getattr(config, name)}")


def check_size(name: str, size: object) -> None:
    """Refuse a size that no network of ours has.

    Raises:
        UserError: Not a positive integer of reasonable size.
    """
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= MAX_SIZE:
        raise UserError(f"{name} must be an integer from 1 to {MAX_SIZE:,}, got {reprlib.repr(size)}")


def check_widths(name: str, widths: object) -> None:
    """Refuse hidden layers that no network of ours has.

    Raises:
        UserError: Not a list of positive integers of reasonable size.
    """
    if not isinstance(widths, list | tuple) or not 1 <= len(widths) <= MAX_LAYERS:
        raise UserError(f"{name} must be a list of 1 to {MAX_LAYERS} widths, got {reprlib.repr(widths)}")
    for width in widths:
        check_size(f"every width of {name}", width)


def check_choice(name: str, word: object, choices: tuple[str, ...]) -> None:
    """Refuse a word that is not among the choices, which are the `typing.get_args` of a Literal.

    Raises:
        UserError: It is another word, or something else.
    """
    if word not in choices:
        raise UserError(f"{name} is {reprlib.repr(word)}; choose one of {', '.join(choices)}")
