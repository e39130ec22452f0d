"""A file of the Hub's cache is checked by the hash in its name."""

import hashlib
from pathlib import Path

import pytest

from diffsr_hub.saved.integrity import as_announced, git_hash


def test_the_hash_of_a_small_file_is_gits() -> None:
    assert git_hash(b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert git_hash(b"what is up, doc?") == "bd9dbf5aae1a3862dd1526723246b20206e5fc37"


@pytest.mark.parametrize("name", [git_hash, lambda content: hashlib.sha256(content).hexdigest()], ids=["git", "sha256"])
def test_another_content_than_the_name_says_is_noticed(tmp_path: Path, name: object) -> None:
    stored = tmp_path / name(b"content")  # type: ignore[operator]
    stored.write_bytes(b"content")
    (tmp_path / "config.json").symlink_to(stored)
    assert as_announced(tmp_path / "config.json")
    stored.write_bytes(b"Content")
    assert not as_announced(tmp_path / "config.json")


def test_what_has_no_hash_in_its_name_cannot_be_checked(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(b"content")
    (tmp_path / "link").symlink_to(tmp_path / "config.json")
    assert as_announced(tmp_path / "config.json") and as_announced(tmp_path / "link")
