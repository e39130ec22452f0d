"""The commands of benchmarks that pages, cards and the programs themselves name are commands that the programs take."""

import ast
import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest
from jsonargparse import ArgumentParser

from benchmarks.program import ROOT
from tests.documentation.pages import PAGES

COMMAND = re.compile(r"python (benchmarks/[\w/]+)\.py((?: +[^`\n#;]+)?)")
CARDS = sorted((ROOT / "model_cards").glob("*/README.md"))
PROGRAMS = sorted((ROOT / "benchmarks").rglob("*.py"))


def commands(file: Path) -> list[tuple[str, list[str]]]:
    """Program and words of every command in a page, which may break one with a backslash, or in a docstring."""
    text = file.read_text(encoding="utf-8")
    text = ast.get_docstring(ast.parse(text)) or "" if file.suffix == ".py" else text.replace("\\\n", " ")
    return [(program, shlex.split(words)) for program, words in COMMAND.findall(text)]


@pytest.mark.parametrize("file", [*PAGES, *CARDS, *PROGRAMS], ids=lambda file: str(file.relative_to(ROOT)))
def test_every_command_is_one_that_its_program_takes(file: Path) -> None:
    for program, words in commands(file):
        assert (ROOT / f"{program}.py").is_file(), program
        if not program.endswith("fuzz_loader"):  # its flags are libFuzzer's
            parser = ArgumentParser(exit_on_error=False)
            parser.add_function_arguments(import_module(program.replace("/", ".")).main, as_group=False)
            parser.parse_args(words)


def test_every_benchmark_of_the_page_is_run_by_make_bench() -> None:
    rule = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nbench:")[2].partition("\n\n")[0]
    made = [(name, shlex.split(words)) for name, words in COMMAND.findall(rule)]
    assert made == commands(ROOT / "docs" / "benchmarks.md")
