"""No error and no page advises to install an extra that does not exist."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from diffsr_hub import cli

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = set(PROJECT["optional-dependencies"])
ADVICE = re.compile(r"""pip install (?:-e )?['"](?:diffsr-hub|\.)\[([^\]{}]+)\]""")
"""an advice whose extra is written out; one in braces is a variable"""
SOURCES = [
    *(file for package in ("diffsr_hub", "pretrain", "finetune") for file in sorted((ROOT / package).rglob("*.py"))),
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("**/*.md")),
    *sorted((ROOT / "model_cards").glob("*.md")),
]


@pytest.mark.parametrize("verb", cli.VERBS)
def test_a_verb_needs_an_extra_that_exists_or_none(verb: str) -> None:
    assert cli.VERBS[verb].extra in EXTRAS | {None}


def test_every_advice_names_extras_that_exist() -> None:
    advised = {file: set(",".join(ADVICE.findall(file.read_text())).split(",")) - {""} for file in SOURCES}
    assert sum(map(bool, advised.values())) >= 4
    assert {file: extras - EXTRAS for file, extras in advised.items() if extras - EXTRAS} == {}


def test_extras_of_extras_exist() -> None:
    named = re.findall(r"diffsr-hub\[([^\]]+)\]", str(PROJECT["optional-dependencies"]))
    assert set(",".join(named).split(",")) <= EXTRAS


@pytest.mark.parametrize("extra", sorted({verb.extra for verb in cli.VERBS.values()} - {None}))
def test_a_verb_finds_all_that_it_imports_in_its_extra(extra: str) -> None:
    verbs = [name for name, verb in cli.VERBS.items() if verb.extra == extra]
    program = [sys.executable, str(Path(__file__).with_name("hidden.py")), extra, *verbs]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(program, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("usage:") == len(verbs)
