"""A user without a home folder, as in a container that was started with an id that is in no list of users."""

import pwd
from typing import Any, NoReturn

import pytest


def without_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the home folder away for one test."""

    def unknown(user: Any) -> NoReturn:
        raise KeyError(f"getpwuid(): uid not found: {user}")

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", unknown)
