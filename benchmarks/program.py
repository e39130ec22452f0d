"""How a program under benchmarks/ begins: its `main` is its command line."""

from collections.abc import Callable
from pathlib import Path

from jsonargparse import auto_cli

from diffsr_hub.errors import exit_codes

ROOT = Path(__file__).resolve().parents[1]
"""this checkout"""


def start(main: Callable[..., None]) -> None:
    """Run a `main` with the arguments of the process: a flag for each of its parameters, its docstring the help."""
    with exit_codes():
        auto_cli(main, as_positional=False)
