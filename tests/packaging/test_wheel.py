"""The built wheel in a clean environment, with the base dependencies alone: what a user of the Hub installs."""

import json
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

import pytest

from diffsr_hub import cli

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
PACKAGES = ("diffsr_hub", "pretrain", "finetune")


def run(*command: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    built = run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT)
    assert built.returncode == 0, built.stderr
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The `bin` of an environment that has the wheel and the packages that it requires, and nothing else."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    options = ("--quiet", "--no-compile", "-c", ROOT / "constraints.txt")
    done = run(folder / "bin" / "pip", "install", *options, wheel)
    assert done.returncode == 0, done.stderr
    yield folder / "bin"
    shutil.rmtree(folder)  # pytest keeps its folders, and torch alone is most of a gigabyte


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    return set(ZipFile(wheel).namelist())


def test_the_wheel_holds_every_module_of_the_packages(names: set[str]) -> None:
    modules = {str(file.relative_to(ROOT)) for package in PACKAGES for file in (ROOT / package).rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == modules


def test_the_wheel_holds_what_is_no_module_but_needed(names: set[str]) -> None:
    assert {f"{package}/py.typed" for package in PACKAGES} <= names
    assert {"model_cards/encoder.md", "model_cards/agent.md"} <= names
    policies = {str(file.relative_to(ROOT)) for file in (ROOT / "pretrain").rglob("*.json")}
    assert len(policies) >= 5 and policies <= names


def test_the_wheel_holds_nothing_else(names: set[str]) -> None:
    assert {PurePosixPath(name).parts[0].partition("-")[0] for name in names} == {*PACKAGES, "model_cards"}
    assert {name for name in names if name.startswith("model_cards")} == {
        "model_cards/encoder.md",
        "model_cards/agent.md",
    }


def test_an_encoder_and_an_agent_load_and_answer(installed: Path, tmp_path: Path) -> None:
    program = f"""
import torch
from diffsr_hub import DiffSR, from_pretrained
from finetune import Agent
model, agent = from_pretrained({str(GOLDEN / "encoder-v1")!r}), from_pretrained({str(GOLDEN / "agent-v1")!r})
assert type(model) is DiffSR and type(agent) is Agent
assert model.psi(torch.zeros(7, 3), torch.zeros(7, 2)).shape == (7, 4)
assert model.sample_next_obs(torch.zeros(7, 3), torch.zeros(7, 2)).shape == (7, 3)
action, _ = agent.predict(torch.zeros(7, 3).numpy(), deterministic=True)
assert action.shape == (7, 2)
"""
    done = run(installed / "python", "-W", "error", "-c", program, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_program_lists_every_verb(installed: Path, tmp_path: Path) -> None:
    done = run(installed / "diffsr", "--help", cwd=tmp_path)
    assert done.returncode == 0 and all(verb in done.stdout for verb in cli.VERBS), done.stderr


def test_every_verb_works_or_names_its_extra(installed: Path, tmp_path: Path) -> None:
    program = """
import contextlib, io, json
from diffsr_hub import cli
ends = {}
for verb in cli.VERBS:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            cli.main([verb, "--help"])
        except SystemExit as end:
            ends[verb] = (end.code, said.getvalue())
print(json.dumps(ends))
"""
    done = run(installed / "python", "-c", program, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    ends = json.loads(done.stdout)
    assert set(ends) == set(cli.VERBS)
    for verb, (code, said) in ends.items():
        if extra := cli.VERBS[verb].extra:
            assert code == 0 or (code == 2 and said.endswith(f": pip install 'diffsr-hub[{extra}]'\n")), said
        else:
            assert (code, said) == (0, "")


def test_a_folder_is_described(installed: Path, tmp_path: Path) -> None:
    done = run(installed / "diffsr", "info", GOLDEN / "encoder-v1", cwd=tmp_path)
    assert done.returncode == 0 and "obs_dim 3, action_dim 2, feature_dim 4" in done.stdout, done.stderr


def test_a_type_checker_sees_the_types_of_the_installed_package(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text('from diffsr_hub import DiffSR\n\nreveal_type(DiffSR.from_pretrained("x"))\n')
    (tmp_path / "mypy.ini").write_text("[mypy]\n[mypy-torch.*,numpy.*]\nfollow_imports = skip\n")
    python = ("--python-executable", installed / "python", "--cache-dir", tmp_path / "cache")
    done = run(sys.executable, "-m", "mypy", *python, "user.py", cwd=tmp_path)
    assert 'Revealed type is "diffsr_hub.model.encoder.DiffSR"' in done.stdout, done.stdout
    assert done.returncode == 0
