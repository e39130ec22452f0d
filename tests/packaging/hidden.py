"""`python hidden.py EXTRA VERB …`: verbs, as if only the base installation and an extra were there.

Our modules find only what these bring. Packages of others find everything: they look for optional packages in ways that
no import shows.
"""

import re
import sys
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from typing import Any

from packaging.requirements import Requirement

from diffsr_hub import cli

OURS = ("diffsr_hub", "pretrain", "finetune")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def brought_by(extra: str) -> set[str]:
    """The distributions that `pip install diffsr-hub[extra]` installs."""
    seen: set[tuple[str, str]] = set()
    todo = [("diffsr-hub", ""), ("diffsr-hub", extra)]
    while todo:
        name, wanted = todo.pop()
        if (normal(name), wanted) in seen:
            continue
        seen.add((normal(name), wanted))
        try:
            requirements = [Requirement(text) for text in requires(name) or []]
        except PackageNotFoundError:  # for other systems than this one
            continue
        for each in requirements:
            if each.marker is None or each.marker.evaluate({"extra": wanted}):
                todo += [(each.name, inner) for inner in ("", *each.extras)]
    return {name for name, _ in seen}


def importer() -> str:
    """The module that imports something at the moment."""
    frame = sys._getframe(2)
    while frame.f_back and "importlib" in frame.f_code.co_filename:
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", ""))


class Hidden(PathFinder):
    """Finds nothing of other distributions, where a module of ours asks."""

    allowed: set[str]
    owners = packages_distributions()

    @classmethod
    def find_spec(cls, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        owners = {normal(owner) for owner in cls.owners.get(fullname.partition(".")[0], [])}
        if owners and not owners & cls.allowed and importer().partition(".")[0] in OURS:
            return None
        return PathFinder.find_spec(fullname, path, target)


if __name__ == "__main__":
    Hidden.allowed = brought_by(sys.argv[1])
    sys.meta_path[:] = [Hidden if finder is PathFinder else finder for finder in sys.meta_path]
    for verb in sys.argv[2:]:
        try:
            cli.main([verb, "--help"])
        except SystemExit as end:
            if end.code:
                raise
