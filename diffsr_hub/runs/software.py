"""The software that a result depends on."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = ("torch", "mujoco", "gymnasium", "minari", "lightning", "numpy", "diffsr-hub")


def software() -> dict[str, str | None]:
    """Versions of Python and of the packages that matter (None if missing), imported or not.

    Returns:
        One entry per package, `python`, and `git_commit`: the commit of this project, with `-dirty` after it if tracked
        files differ from it; None if it does not run from a checkout.
    """
    versions: dict[str, str | None] = {"python": platform.python_version()}
    versions |= {package: _version(package) for package in _PACKAGES}
    return versions | {"git_commit": git_commit(Path(__file__).resolve().parents[2])}


def git_commit(root: Path) -> str | None:
    """The commit checked out in `root`; None unless `root` itself is a checkout."""
    if not (root / ".git").exists():  # an installed package may lie inside another project's checkout
        return None
    commit = _git(root, "rev-parse", "HEAD")
    if not commit:
        return None
    return commit + ("-dirty" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
