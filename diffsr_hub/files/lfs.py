"""Pointers of Git LFS: what a clone without it holds in place of large files."""

from pathlib import Path

from diffsr_hub.errors import UserError

_FIRST_LINE = b"version https://git-lfs.github.com/spec/"


def check_no_pointer(file: Path) -> None:
    """Refuse a file that only says where the real one is; called where something else could not read the file.

    Raises:
        UserError: it is such a pointer.
    """
    if not file.is_file():  # a pipe would never end
        return
    try:
        with file.open("rb") as opened:
            first = opened.read(len(_FIRST_LINE))
    except OSError:
        return
    if first == _FIRST_LINE:
        raise UserError(f"{file} is a pointer of Git LFS, not the file itself: run `git lfs pull` in its folder")
