from pathlib import Path

import pytest

from diffsr_hub.errors import UserError
from diffsr_hub.files.paths import environment_path, expanded, home
from tests.homeless import without_home


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("~", "/home/someone"),
        ("~/a/b", "/home/someone/a/b"),
        ("a/~/b", "a/~/b"),
        ("~nobody-of-this-name/a", "~nobody-of-this-name/a"),
        ("a~", "a~"),
        ("/a", "/a"),
        ("", "."),
    ],
)
def test_a_tilde_in_front_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, text: str, path: str) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert expanded(text) == expanded(Path(text)) == Path(path)


def test_variables_hold_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv("SOME_PATH", "~/a")
    assert environment_path("SOME_PATH") == Path("/home/someone/a")
    monkeypatch.setenv("SOME_PATH", "")
    assert environment_path("SOME_PATH") is None


def test_without_a_home_only_what_needs_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    without_home(monkeypatch)
    assert expanded("/a") == Path("/a")
    with pytest.raises(UserError, match=r"^~/a: this user has no home folder; write the whole path, or set HOME$"):
        expanded("~/a")
    with pytest.raises(UserError, match=r"^this user has no home folder: set SOME_PATH to a folder"):
        home("SOME_PATH")
