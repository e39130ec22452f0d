"""Where a model's files are: in a folder of this machine, or downloaded from the Hub."""

import difflib
import errno
import os
from pathlib import Path
from typing import Any

from huggingface_hub import constants, hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    HFValidationError,
    LocalEntryNotFoundError,
    RevisionNotFoundError,
)

from diffsr_hub.errors import UserError
from diffsr_hub.files.paths import folder_or_name
from diffsr_hub.files.strict_json import read_json
from diffsr_hub.saved.file_names import CONFIG, WEIGHTS
from diffsr_hub.saved.hub_errors import CLIENT_ERRORS, brief, reason
from diffsr_hub.saved.integrity import as_announced


def find(source: str | Path, *, revision: str | None, local_files_only: bool, token: str | None) -> tuple[Path, Path]:
    """Locate configuration and weights in a folder, or download them from the Hub.

    Raises:
        UserError: Neither a folder with both files nor a repository that has them, or a folder and a revision.
    """
    source = folder_or_name(source)
    if os.path.isdir(source):  # unlike Path.is_dir, it takes any string
        check_no_revision(source, revision)
        return _in_folder(Path(source), CONFIG), _in_folder(Path(source), WEIGHTS)
    if os.path.exists(source):
        raise UserError(f"{source} is a file; give the folder that holds {CONFIG} and {WEIGHTS}")
    check_not_beside_folders(source, revision)
    try:
        config = _download(str(source), CONFIG, revision, local_files_only, token)
        read_json(config)  # before weights of any size are asked for
        # The weights of that very commit, wherever the branch has moved since; cached ones need no request then.
        commit = config.parent.name if config.parent.parent.name == "snapshots" else revision
        return config, _download(str(source), WEIGHTS, commit, local_files_only, token)
    except UserError:
        raise
    except CLIENT_ERRORS as error:
        raise UserError(_why_not(source, revision, error)) from None  # its text, and its causes', may show a token


def _download(repository: str, name: str, revision: str | None, local_files_only: bool, token: str | None) -> Path:
    """One file of the Hub; what was altered on the way or in the cache is downloaded once more."""
    check_cache()
    options: dict[str, Any] = {"revision": revision, "local_files_only": local_files_only, "token": token}
    file = Path(str(hf_hub_download(repository, name, **options)))
    if as_announced(file):
        return file
    if not local_files_only:
        file = Path(str(hf_hub_download(repository, name, force_download=True, **options)))
        if as_announced(file):
            return file
    raise UserError(f"{repository}: {name} does not have the hash that the Hub announced; its copy is {file}")


def _why_not(source: str | Path, revision: str | None, error: Exception) -> str:
    if isinstance(error, HFValidationError):
        return f"{source} is neither a folder that exists nor a repository id like org/name"
    if isinstance(error, LocalEntryNotFoundError):
        return f"{source} is neither a folder nor cached, and the Hub was not reached: {reason(error)}"
    if isinstance(error, EntryNotFoundError):
        return f"{source} on the Hub has no {CONFIG} and {WEIGHTS}: it is not a model of diffsr-hub"
    if isinstance(error, RevisionNotFoundError):
        return f"{source} on the Hub has no revision {revision!r} (branch, tag or commit)"
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EROFS):
        return f"{source}: the cache cannot be written ({brief(error)}); load a commit that is in it, or set HF_HOME"
    why, known = brief(error), reason(error)
    return f"{source} is not a folder, and the Hub did not give it: {why}{f' ({known})' if known != why else ''}"


def check_cache() -> None:
    """Refuse to download where the Hub's cache would be a folder that is called ~, in the current one.

    Raises:
        UserError: This user has no home folder, and no variable says where the cache is.
    """
    if constants.HF_HUB_CACHE.startswith("~"):
        raise UserError("this user has no home folder: set HF_HOME to a folder for what is downloaded from the Hub")


def check_no_revision(folder: str | Path, revision: str | None) -> None:
    """Refuse a version of what has none.

    Raises:
        UserError: A revision is asked for.
    """
    if revision is not None:
        raise UserError(f"{folder} is a folder, which has no revisions: leave {revision!r} out")


def check_not_beside_folders(source: str | Path, revision: str | None) -> None:
    """Refuse what is not there although the folder above it is, before the Hub is asked for minutes: a slip of the pen.

    Raises:
        UserError: `runs/nope`, say, where there is a folder `runs` without it, and no revision is asked for.
    """
    above = os.path.dirname(source)
    if revision is None and above and os.path.isdir(above):
        inside = sorted(entry.name for entry in os.scandir(above) if entry.is_dir())
        close = difflib.get_close_matches(os.path.basename(source), inside, n=1)
        guess = f"; did you mean {os.path.join(above, close[0])}?" if close else ""
        raise UserError(
            f"there is no {source} in the folder {above}{guess} (a repository of the Hub that is called like a folder "
            "here is asked for with its revision, such as main)"
        )


def check_not_a_run(folder: str | Path) -> None:
    """Refuse the folder of a run in the place of the model inside.

    Raises:
        UserError: The folder has no configuration, and a model in a folder of its own.
    """
    for kind in ("encoder", "agent"):
        inside = os.path.join(folder, kind)
        if not os.path.exists(os.path.join(folder, CONFIG)) and os.path.isfile(os.path.join(inside, CONFIG)):
            raise UserError(f"{folder} is the folder of a run; its {kind} is {inside}")


def _in_folder(folder: Path, name: str) -> Path:
    file = folder / name
    if file.is_file():
        return file
    check_not_a_run(folder)
    pickles = sorted(p.name for p in folder.iterdir() if p.suffix in {".bin", ".pt", ".pth", ".pkl", ".ckpt"})
    hint = f"; {', '.join(pickles)} can run code when loaded and is never read" if pickles else ""
    raise UserError(f"{folder} has no {name}{hint}: expected {CONFIG} and {WEIGHTS}")
