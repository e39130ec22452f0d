"""The documentation says what the program does: commands parse, links lead somewhere, numbers have a file."""

import json
import re
import shlex
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from benchmarks.studies import encoders, transfer
from benchmarks.studies.results import runs_beside
from diffsr_hub.cards.card import render
from diffsr_hub.runs.command import parse
from diffsr_hub.studies import comparison_table, matrix_table, matrix_verb
from diffsr_hub.studies.comparison import compare
from diffsr_hub.studies.matrix import matrix
from finetune.config import FinetuneConfig
from pretrain.behaviour import linear
from pretrain.config import PretrainConfig
from tests.documentation.pages import PAGES, ROOT

CARDS = sorted((ROOT / "model_cards").glob("*/README.md"))
FINETUNE = re.compile(r"(?:python finetune/train\.py|diffsr finetune)((?: +[^`\n#]+)?)")
PRETRAIN = re.compile(r"(?:python pretrain/fit\.py|diffsr pretrain)((?: +[^`\n#]+)?)")
MATRIX = re.compile(r"(?:^|`)diffsr matrix( +[^`\n#]+)", re.MULTILINE)
FLAGS = re.compile(r"`(--[^`]+)`")
FOLDERS = "diffsr_hub|pretrain|finetune|benchmarks|tests|model_cards|results"
PLACE = re.compile(rf"(?<![\w/.-])((?:{FOLDERS})/[\w./-]*\w)(?![\w*{{{{])")
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_pretraining_command_parses(page: Path) -> None:
    for arguments in PRETRAIN.findall(page.read_text()):
        words = shlex.split(arguments)
        if "--help" not in words and all(word.startswith("--") for word in words[:1]):
            parse(PretrainConfig, words, prog="diffsr pretrain", description="")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_finetuning_command_parses(page: Path) -> None:
    for arguments in FINETUNE.findall(page.read_text().replace("\\\n", " ")):
        words = shlex.split(arguments)
        if "--help" not in words and "--resume" not in words and all(word.startswith("--") for word in words[:1]):
            parse(FinetuneConfig, words, prog="diffsr finetune", description="")


def test_every_flag_of_the_quickstart_parses() -> None:
    flags = [f for f in FLAGS.findall((ROOT / "docs" / "quickstart.md").read_text()) if " " in f and ">" not in f]
    assert len(flags) >= 8
    for words in map(shlex.split, flags):
        if words[0] not in ("--config", "--resume"):
            parse(PretrainConfig, words, prog="diffsr pretrain", description="")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md", ROOT / "Makefile"], ids=lambda page: page.name)
def test_every_place_in_the_project_that_a_page_names_is_there(page: Path) -> None:
    missing = [place for place in PLACE.findall(page.read_text()) if not (ROOT / place).exists()]
    assert [place for place in missing if not (page.parent / place).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_has_a_hole(page: Path) -> None:
    assert not re.search(r"@@|TODO|TBD|XXX", page.read_text())


def test_the_table_of_results_is_that_of_the_stored_diagnostics() -> None:
    assert encoders.table(encoders.RESULTS.records(), encoders.ROBOTS) in (ROOT / "docs" / "results.md").read_text()


def test_the_table_of_the_transfer_study_is_that_of_its_raw_results() -> None:
    table = comparison_table.table(compare(transfer.RESULTS.runs()))
    assert (transfer.RESULTS.shown / "comparison.md").read_text() == table
    assert table in (ROOT / "docs" / "transfer.md").read_text()


def test_the_transfer_matrix_is_that_of_the_raw_results_of_the_study() -> None:
    runs = transfer.RESULTS.runs()
    tasks, arms = runs_beside("scratch", transfer.rows(), runs)
    assert tasks == sorted({run.env for run in runs}) and arms[0] == "scratch"
    assert (transfer.RESULTS.shown / "matrix.md").read_text() == matrix_table.table(matrix(runs, arms=arms[1:]))


def test_what_is_generated_is_on_a_page_or_a_table() -> None:
    shown = set((ROOT / "docs" / "generated").rglob("*.png"))
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    linked = {(page.parent / target).resolve() for page in pages for target in LINK.findall(page.read_text())}
    of_no_page = {ROOT / f"docs/generated/metaworld/{name}/matrix.png" for name in ("own", "random")}
    assert shown - of_no_page <= linked


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_makes_a_matrix_parses(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []
    monkeypatch.setattr(matrix_verb, "write_matrix", lambda runs, out, **options: made.append(out))
    commands = MATRIX.findall(page.read_text())
    for arguments in commands:
        matrix_verb.main(shlex.split(arguments))
    assert len(made) == len(commands)


def test_the_table_of_policies_is_that_of_their_records() -> None:
    page = (ROOT / "docs" / "datasets.md").read_text()
    for robot in linear.robots():
        for name, returns in [(entry.name, entry.returns) for entry in linear.load(robot).policies]:
            cells = " | ".join(f"{returns[str(noise)]:,.0f}" for noise in linear.NOISE_LEVELS)
            assert f"| {name} | {cells} |" in page


def test_the_readme_is_short_and_its_tree_is_there() -> None:
    readme = (ROOT / "README.md").read_text()
    assert len(readme.splitlines()) <= 100
    rows = readme.partition("## The tree")[2].partition("\n## ")[0].splitlines()[4:]
    folders = [row.split("|")[1] for row in rows if row]
    assert len(folders) == 10
    for cell in folders:
        first, *others = re.findall("`([^`]+)/`", cell)
        assert all((ROOT / place).is_dir() for place in (first, *(Path(first).parent / other for other in others))), (
            cell
        )


def test_there_is_a_card_for_every_robot_of_the_results() -> None:
    assert {"hopper", "halfcheetah", "walker2d"} <= {card.parent.name for card in CARDS}


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.parent.name)
def test_a_stored_card_is_what_the_program_writes_from_the_files_beside_it(card: Path) -> None:
    text = card.read_text(encoding="utf-8")
    assert text == render(card.parent, f"diffsr-hub/{card.parent.name}")
    assert all((card.parent / target).is_file() for target in LINK.findall(text))


NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?")


def numbers(content: Any) -> set[float]:
    """All of a JSON value, also in minutes where they are seconds, and the medians of lists."""
    if isinstance(content, dict | list):
        inner = list(content.values() if isinstance(content, dict) else content)
        middle = {median(inner)} if inner and all(isinstance(each, int | float) for each in inner) else set()
        return middle.union(*map(numbers, inner))
    return {content, content / 60} if isinstance(content, int | float) else set()


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.parent.name)
def test_every_number_on_a_card_is_in_a_file_beside_it(card: Path) -> None:
    files = [file.read_text(encoding="utf-8") for file in card.parent.glob("*.json")]
    template = (ROOT / "model_cards" / "encoder.md").read_text(encoding="utf-8")
    written = set(NUMBER.findall("\n".join([*files, template])))
    known = set().union(*(numbers(json.loads(file)) for file in files))
    missing = []
    for number in NUMBER.findall(card.read_text(encoding="utf-8")):
        text = number.rstrip(",").replace(",", "")
        places = len(text.partition(".")[2])
        if not {number, text} & written and not any(f"{value:.{places}f}" == text for value in known):
            missing.append(number)
    assert missing == []
