"""Text to paths: `~` is the home folder, also where no shell has replaced it, and not everybody has one."""

import os
from pathlib import Path

from diffsr_hub.errors import UserError


def expanded(text: str | Path) -> Path:
    """A path as a user writes it; `~` and `~name` in front are home folders where there are such.

    Raises:
        UserError: it is in the home folder, and this user has none.
    """
    written = os.fspath(text)
    found = os.path.expanduser(written)
    if found == written and (written == "~" or written.startswith("~/")):
        raise UserError(f"{written}: this user has no home folder; write the whole path, or set HOME")
    return Path(found)


def folder_or_name(source: str | Path) -> str | Path:
    """What may be a folder or a repository of the Hub: a folder with `~` in front is written out, all else is kept.

    Raises:
        UserError: it is in the home folder, and this user has none.
    """
    return expanded(source) if os.fspath(source).startswith("~") else source


def environment_path(name: str) -> Path | None:
    """The path in an environment variable; None where it is not set, or empty.

    Raises:
        UserError: it is in the home folder, and this user has none.
    """
    value = os.environ.get(name)
    return expanded(value) if value else None


def home(instead: str) -> Path:
    """The home folder of this user.

    Args:
        instead: the environment variable that makes it unnecessary.

    Raises:
        UserError: there is none, as in a container whose user is in no list.
    """
    try:
        return Path.home()
    except RuntimeError:
        raise UserError(f"this user has no home folder: set {instead} to a folder that can be written") from None
