"""A folder is an idea, and the tests mirror the folders."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("diffsr_hub", "pretrain", "finetune")
FOLDERS = [
    folder
    for package in PACKAGES
    for folder in (ROOT / package, *sorted((ROOT / package).rglob("*/")))
    if list(folder.glob("*.py"))
]
MOST = 15
"""files of a folder that a reader holds in the head"""


def name(folder: Path) -> str:
    return str(folder.relative_to(ROOT))


@pytest.mark.parametrize("folder", FOLDERS, ids=name)
def test_a_folder_is_a_package_of_few_files(folder: Path) -> None:
    files = {file.name for file in folder.glob("*.py")}
    assert "__init__.py" in files and len(files - {"__init__.py"}) <= MOST


@pytest.mark.parametrize("folder", FOLDERS, ids=name)
def test_a_folder_has_tests_at_the_same_place(folder: Path) -> None:
    files = {file.stem for file in folder.glob("*.py")}
    tests = {file.stem.removeprefix("test_") for file in (ROOT / "tests" / name(folder)).glob("test_*.py")}
    assert files & tests
