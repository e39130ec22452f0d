"""The command lines of `publish`, `info`, `list` and `card`."""

import re
from pathlib import Path

import pytest

from diffsr_hub import cli
from diffsr_hub.hub.inspect import describe
from tests.hub.publishing import contents
from tests.hub.samples import CLIENTS_OWN_WARNING, NAME
from tests.hub.server import Hub

pytest_plugins = ["tests.hub.fixtures"]
pytestmark = pytest.mark.filterwarnings(CLIENTS_OWN_WARNING)


def test_the_command_prints_address_and_commit(hub: Hub, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["publish", str(folder), NAME, "--tag", "v1", "--revision", "b", "--message", "m", "--private"])
    url, commit, load = capsys.readouterr().out.splitlines()
    assert url == f"{hub.url}/{NAME}"
    assert commit == f"commit {hub.store.resolve('models', NAME, 'v1')}"
    assert load == f'DiffSR.from_pretrained("{NAME}", revision="{commit.split()[1]}")'


def test_a_dry_run_shows_files_and_sizes_and_asks_nothing(
    hub: Hub, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["publish", str(folder), NAME, "--dry_run"])
    out = capsys.readouterr().out
    for name, content in contents(folder).items():
        assert re.search(rf"^ +{len(content):,}  {re.escape(name)}$", out, re.MULTILINE)
    assert hub.requests == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: folder, org/name (see diffsr publish --help)"),
        (["nowhere", NAME, "--dry_run"], "nowhere is not a folder"),
        (["nowhere", "name"], "'name' is no repository: one is called like org/name"),
        (["nowhere", "../name"], "'../name' is no repository: one is called like org/name"),
        (["nowhere", NAME, "--tags=v1"], "unrecognized arguments: --tags=v1 (see diffsr publish --help)"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["publish", *arguments])
    assert (end.value.code, capsys.readouterr().err) == (2, f"error: {message}\n")


def test_the_card_is_written_anew_for_a_repository(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["card", str(folder)])
    assert 'from_pretrained("path/to/this/folder")' in (folder / "README.md").read_text()
    cli.main(["card", str(folder), "--repository", "org/other"])
    assert 'from_pretrained("org/other")' in (folder / "README.md").read_text()
    assert capsys.readouterr().out == f"{folder / 'README.md'}\n" * 2


@pytest.mark.parametrize("name", ["not a repo", "", "name", "org/name.git", 'org/x"); import os; ("'])
def test_a_card_is_written_for_a_repository_only(folder: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(folder)
    with pytest.raises(SystemExit):
        cli.main(["card", str(folder), "--repository", name])
    assert capsys.readouterr().err == f"error: {name!r} is no repository: one is called like org/name\n"
    assert contents(folder) == before


def test_the_command_prints_a_line_for_each(hub: Hub, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["info", str(folder)])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(describe(str(folder)))
    assert "sizes             obs_dim 3, action_dim 2, feature_dim 6" in lines
    assert hub.requests == []
