"""What our programs say when they refuse something."""

from collections.abc import Callable

import pytest

from diffsr_hub.errors import UserError


def refusal(call: Callable[[], object]) -> str:
    """The message with which a call is refused: one short line, without a character that a terminal obeys."""
    with pytest.raises(UserError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message and "\x1b" not in message and len(message) < 700, message
    return message
