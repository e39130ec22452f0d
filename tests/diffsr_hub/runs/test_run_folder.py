"""Laws of what the run folders of both stages share, on a stage that knows one setting."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from diffsr_hub.errors import UserError
from diffsr_hub.runs.command import dump
from diffsr_hub.runs.run_folder import AnyRunFolder, free_path


@dataclass(frozen=True)
class Settings:
    """Of a toy."""

    size: int = 1
    """How large."""
    run_dir: Path | None = None
    """Where to."""
    resume: Path | None = None
    """What to go on with."""

    @property
    def run_name(self) -> str:
        return f"toy-{self.size}"


class ToyFolder(AnyRunFolder[Settings]):
    verb = "toy"
    config_type = Settings


class ToyFolderWithNotes(ToyFolder):
    @property
    def first_files(self) -> tuple[Path, ...]:
        return self.config, self.path / "notes.txt"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def stored(**settings: int) -> ToyFolder:
    Path("x").mkdir()
    folder = ToyFolder(Path("x"))
    dump(Settings(**settings), folder.config)
    return folder


def test_what_is_taken_gets_a_number():
    paths = []
    for _ in range(3):
        paths.append(free_path(Path("a", "v1.5")))
        paths[-1].mkdir(parents=True)
    assert paths == [Path("a", name) for name in ("v1.5", "v1.5-2", "v1.5-3")]


def test_a_folder_is_the_resumed_one_or_the_given_one_or_named_after_the_settings():
    given, resumed = Path("given"), Path("resumed")
    assert ToyFolder.of(Settings(run_dir=given, resume=resumed)).path == resumed
    assert ToyFolder.of(Settings(run_dir=given)).path == given
    assert ToyFolder.of(Settings(size=3)).path == Path("runs/toy-3")
    assert list(Path().iterdir()) == []


def test_a_resumed_run_has_its_own_settings_and_flags_override_them():
    stored(size=3)
    assert ToyFolder.read_config(["--size", "4"], "").size == 4
    assert ToyFolder.read_config(["--resume", "x"], "") == Settings(size=3, resume=Path("x"))
    assert ToyFolder.read_config(["--resume", "x", "--size", "4"], "") == Settings(size=4, resume=Path("x"))


def test_a_resumed_run_has_its_folder_already():
    stored()
    with pytest.raises(UserError, match="--resume goes on in x; --run_dir is for a new run: give one of them"):
        ToyFolder.read_config(["--resume", "x", "--run_dir", "y"], "")


def test_the_help_is_that_of_the_verb(capsys):
    with pytest.raises(SystemExit):
        ToyFolder.read_config(["--help"], "Plays.")
    said = capsys.readouterr().out
    assert "usage: diffsr toy" in said and "Plays." in said and "How large." in said


def test_a_folder_without_its_first_files_is_none_of_a_run():
    assert stored(size=3).stored_config() == Settings(size=3)
    with pytest.raises(UserError, match=r"^y is not a run folder: it has no config\.yaml$"):
        ToyFolder(Path("y")).stored_config()
    with pytest.raises(UserError, match=r"^x is not a run folder: it has no config\.yaml and notes\.txt$"):
        ToyFolderWithNotes(Path("x")).stored_config()
