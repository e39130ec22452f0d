"""How the programs in this folder print what they measured."""

import shlex
import sys
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

from benchmarks.program import ROOT
from benchmarks.speed.timing import machine
from diffsr_hub.presentation.markdown import markdown_lines


def report(head: Sequence[str], rows: Iterable[Sequence[str]], *, note: str = "") -> None:
    """Print the command, the machine and a table, each row as soon as it is measured.

    Args:
        head: Of the table.
        rows: Of the table; an iterator measures one after another.
        note: A line before the table, such as its units.
    """
    program = Path(sys.argv[0]).resolve()
    name = program.relative_to(ROOT).as_posix() if program.is_relative_to(ROOT) else program.name
    print(shlex.join(["python", name, *sys.argv[1:]]))
    print(f"{machine()}\n")
    if note:
        print(f"{note}\n")
    for line in markdown_lines(chain([head], rows)):
        print(line, flush=True)
