"""Files and folders come into their place whole, or the old ones stay."""

from pathlib import Path

import pytest

from diffsr_hub.files.atomic import whole_folder, write_bytes, write_json


def test_written_json_is_strict(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"ψ": 1})
    assert (tmp_path / "x.json").read_text(encoding="utf-8") == '{\n  "ψ": 1\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", float("nan"))
    assert [file.name for file in tmp_path.iterdir()] == ["x.json"]


def test_a_file_that_cannot_be_put_in_its_place_leaves_the_old_one_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "x"
    write_bytes(file, b"old")

    def broken(source: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", broken)
    with pytest.raises(KeyboardInterrupt):
        write_bytes(file, b"new")
    assert {f.name: f.read_bytes() for f in tmp_path.iterdir()} == {"x": b"old"}


def test_a_folder_takes_the_place_of_the_old_one_at_the_end_and_not_before(tmp_path: Path) -> None:
    place = tmp_path / "folder"
    for content in ("old", "new"):
        with whole_folder(place) as partial:
            partial.mkdir()
            (partial / content).write_text(content)
            assert not place.exists() or [file.name for file in place.iterdir()] == ["old"]
        assert [file.name for file in place.iterdir()] == [content]
    with pytest.raises(KeyboardInterrupt), whole_folder(place) as partial:
        partial.mkdir()
        raise KeyboardInterrupt
    assert [file.name for file in tmp_path.rglob("*")] == ["folder", "new"]
