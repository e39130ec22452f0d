"""What several settings refuse in the same words."""

from typing import Any

from diffsr_hub.errors import UserError


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
