import importlib
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

from diffsr_hub import __version__, cli
from diffsr_hub.errors import UserError, exit_codes, unknown


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A verb `play` whose program records its arguments, and misbehaves on request."""
    calls: list[list[str]] = []

    @exit_codes()
    def program(argv: Sequence[str]) -> None:
        calls.append(list(argv))
        if argv == ["wrongly"]:
            raise UserError("that was wrong")
        if argv == ["long"]:
            raise KeyboardInterrupt
        if argv and argv[0].startswith("import "):
            importlib.import_module(argv[0].removeprefix("import "))

    module = ModuleType("toys")
    module.main = program  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "toys", module)
    monkeypatch.setitem(cli.VERBS, "play", cli.Verb("toys:main", "play with toys", extra="games"))
    return calls


def ends(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[object, str]:
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    return end.value.code, capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"], ["help"], ["help", "help"], ["help", "--help"]])
def test_help_lists_every_verb_on_a_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(arguments)
    out = capsys.readouterr().out
    assert out.startswith("usage: diffsr VERB")
    for name, verb in cli.VERBS.items():
        assert re.search(rf"^  {name} +{re.escape(verb.summary)}$", out, re.MULTILINE)
    assert max(map(len, out.splitlines())) <= 80


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["--version"])
    assert capsys.readouterr().out == f"diffsr-hub {__version__}\n"


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_exists_and_has_a_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main([verb, "--help"])
    assert end.value.code == 0
    assert f"usage: diffsr {verb}" in capsys.readouterr().out


def test_a_verb_gets_the_arguments_after_it(play: list[list[str]]) -> None:
    cli.main(["play", "--ball", "red", "--help"])
    assert play == [["--ball", "red", "--help"]]


def test_an_unknown_verb_lists_them_and_guesses(play: list[list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    code, err = ends(["plya"], capsys)
    assert code == 2
    assert err == f"error: unknown verb 'plya', valid: {', '.join(sorted(cli.VERBS))}; did you mean play?\n"


def test_a_users_mistake_is_one_line_and_2(play: list[list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    assert ends(["play", "wrongly"], capsys) == (2, "error: that was wrong\n")


def test_ctrl_c_is_one_line_and_130(play: list[list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    assert ends(["play", "long"], capsys) == (130, "interrupted\n")


@pytest.mark.parametrize(("extra", "advice"), [("games", "'diffsr-hub[games]'"), (None, "diffsr-hub")])
def test_a_missing_package_names_the_extra_that_brings_it(
    play: list[list[str]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    extra: str | None,
    advice: str,
) -> None:
    monkeypatch.setitem(cli.VERBS, "play", cli.Verb("toys:main", "play with toys", extra=extra))
    line = f"error: diffsr play needs the package marbles, which is not installed: pip install {advice}\n"
    assert ends(["play", "import marbles"], capsys) == (2, line)


def test_our_own_mistakes_keep_their_traceback(play: list[list[str]]) -> None:
    with pytest.raises(ModuleNotFoundError, match=r"diffsr_hub\.marbles"):
        cli.main(["play", "import diffsr_hub.marbles"])


def test_names_with_slashes_are_guessed_by_their_last_part() -> None:
    known = ["mujoco/hopper", "mujoco/walker2d"]
    assert str(unknown("robot", "walker", known)).endswith("; did you mean mujoco/walker2d?")
    assert "did you mean" not in str(unknown("robot", "mujoco/ant", known))
    assert str(unknown("robot", "x", [])) == "unknown robot 'x', valid: none"


def test_only_the_verb_that_is_called_is_imported() -> None:
    heavy = "{'minari', 'gymnasium', 'lightning', 'jsonargparse', 'pretrain'}"
    check = f"import sys; from diffsr_hub.cli import main; main(['--help']); print({heavy} & set(sys.modules))"
    checkout = Path(cli.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", check], cwd=checkout, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


def test_help_of_a_verb_is_what_the_verb_says(play: list[list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["help", "play"])
    assert play == [["--help"]]
    assert ends(["help", "plya"], capsys)[1].endswith("did you mean play?\n")


def test_the_package_is_a_program_too() -> None:
    checkout = Path(cli.__file__).parents[1]
    command = [sys.executable, "-m", "diffsr_hub", "--version"]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True)
    assert done.stdout == f"diffsr-hub {__version__}\n"


@pytest.mark.parametrize("package", ["finetune", "pretrain"])
@pytest.mark.parametrize("content", ["NAME.py", "NAME/__init__.py", "NAME/train.py"])
def test_a_users_file_of_the_name_of_a_stage_is_named_and_not_run(tmp_path: Path, package: str, content: str) -> None:
    file = tmp_path / content.replace("NAME", package)
    file.parent.mkdir(exist_ok=True)
    file.write_text("print('mine')\n", encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), str(Path(cli.__file__).parents[1])])
    verb = {"finetune": "sweep", "pretrain": "pretrain"}[package]
    done = subprocess.run(
        [sys.executable, "-m", "diffsr_hub", verb, "--help"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if content == "NAME/train.py":  # without an __init__.py, a folder hides nothing that comes after it
        assert done.returncode == 0
    else:
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"error: Python finds {file} under the name {package}, which hides")
        assert done.stderr.count("\n") == 1
