"""What the pages tell a reader to paste runs as it stands, in order, in a folder that the pages' own commands made.

One thing differs from what a reader does: the settings of `CUT` follow those of a command, so that it takes seconds.
"""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from diffsr_hub import cli
from finetune.sweep.plan import read_arms
from pretrain.collect import collect
from tests.documentation.pages import PAGES, ROOT, Block, blocks, commands
from tests.hub.samples import CLIENTS_OWN_WARNING
from tests.hub.server import Hub
from tests.machine import isolate
from tests.opengl import needs_opengl

pytest_plugins = ["tests.hub.fixtures"]
pytestmark = pytest.mark.filterwarnings(CLIENTS_OWN_WARNING)

FEW_STEPS = {"total_steps": 30, "learning_starts": 10, "eval_every": 30, "eval_episodes": 1, "video_steps": 0}
CUT = {
    "pretrain": {"max_steps": 50, "warmup_steps": 5, "validate_every": 50, "checkpoint_every": 50, "progress": "false"},
    "finetune": {**FEW_STEPS, "progress": "false"},
    "evaluate": {"episodes": 1},
    "sweep": {"tasks": "Hopper-v5", "seeds": 0, **{f"settings.{name}": value for name, value in FEW_STEPS.items()}},
}
"""verb → settings that follow those of the page"""
CUT_WHERE_GIVEN = {"offline_steps": 30, "warm_start": 5}
"""settings that the page's are replaced by"""
SCRIPTS = {"pretrain/fit.py": "pretrain", "finetune/train.py": "finetune"}
NOT_RUN = (
    "source",
    "git",
    "make",
    "pip",
    "hf",
    "export",
    "diffsr sweep --tasks Hopper-v5,Walker2d-v5 --arms arms.yaml",
)
"""beginnings of commands that install, log in, or cost as much as all the others"""
READ = ("README.md", *(f"docs/{name}.md" for name in ("quickstart", "hub", "finetuning", "sweeps", "matrix", "tasks")))
"""the pages in the order of reading: a later one uses what an earlier one has made"""
DRAWN = ("docs/pixels.md",)
"""pages that need OpenGL"""


def test_every_page_with_python_is_read() -> None:
    found = {page for page in PAGES if any(block.language == "python" for block in blocks(page))}
    assert found <= {ROOT / name for name in READ + DRAWN}


def recipe(target: str) -> list[str]:
    """The one command of a target of the Makefile."""
    (line,) = re.findall(rf"^{target}:.*\n\t\$\(BIN\)/(.*)\n\n", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return shlex.split(line)


def verb(words: list[str]) -> list[str] | None:
    """A command as arguments of `diffsr`; None where it is not run."""
    if words == ["make", "pretrain"]:
        words = recipe("pretrain")
    if " ".join(words).startswith(NOT_RUN):
        return None
    if words[0] == "python":
        return [SCRIPTS[words[1]], *words[2:]]
    assert words[0] == "diffsr", words
    return words[1:]


def run(words: list[str]) -> None:
    """Run a command of a page, cut down."""
    if arguments := verb(words):
        given = {name: value for name, value in CUT_WHERE_GIVEN.items() if f"--{name}" in arguments}
        settings = {**CUT.get(arguments[0], {}), **given}
        cli.main([*arguments, *(f"--{name}={value}" for name, value in settings.items())])


def paste(block: Block) -> dict[str, Any]:
    """Run a block of Python in a session of its own, with its line numbers; returns what it defined."""
    session: dict[str, Any] = {}
    exec(compile("\n" * (block.line - 1) + block.text, block.place, "exec"), session)
    return session


def shapes(block: Block, session: dict[str, Any]) -> Iterator[tuple[str, list[int], list[int]]]:
    """For every line that ends in a comment such as `# [256, 128]`: its code, the shape that it has, and that one."""
    lines = block.text.splitlines()
    for statement in ast.parse(block.text).body:
        said = re.search(r"# (?:\w+ )?\[(\d+(?:, \d+)*)\]", lines[statement.lineno - 1])
        if said and isinstance(statement, ast.Expr | ast.Assign):
            of = statement.value if isinstance(statement, ast.Expr) else statement.targets[0]
            first = of.elts[0] if isinstance(of, ast.Tuple) else of
            value = eval(ast.unparse(first), session)
            yield ast.unparse(statement), list(value.shape), [int(size) for size in said[1].split(",")]


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A little data of the name that the pages use."""
    folder = tmp_path_factory.mktemp("datasets")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINARI_DATASETS_PATH", str(folder))
        collect("mujoco/hopper", steps=2_000, say=lambda _: None)
    return folder


@pytest.fixture
def reader(hub: Hub, datasets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A reader who is logged in, has little data, and starts in a folder with the recorded results of a clone."""
    isolate(monkeypatch, tmp_path)
    (tmp_path / "results").symlink_to(ROOT / "results")
    for name, value in {"MINARI_DATASETS_PATH": datasets, "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": 0}.items():
        monkeypatch.setenv(name, str(value))
    return tmp_path


def test_every_file_of_arms_is_understood(tmp_path: Path) -> None:
    files = [block for page in PAGES for block in blocks(page) if block.language == "yaml"]
    assert files
    for block in files:
        (tmp_path / "arms.yaml").write_text(block.text)
        assert read_arms(tmp_path / "arms.yaml"), block.place


def read(page: Path) -> None:
    """Paste every block of a page."""
    for block in blocks(page):
        try:
            if block.language == "bash":
                for words in commands(block):
                    run(words)
            elif block.language == "python":
                for code, found, said in shapes(block, paste(block)):
                    assert found == said, code
        except BaseException as error:
            error.add_note(f"{block.place}\n{block.text}")
            raise


def test_a_reader_who_pastes_every_block_gets_what_the_pages_say(reader: Path) -> None:
    for name in READ:
        read(ROOT / name)


@needs_opengl
@pytest.mark.parametrize("name", DRAWN)
def test_blocks_that_draw_run(reader: Path, name: str) -> None:
    read(ROOT / name)
