import errno
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from minari.storage import get_dataset_path

from diffsr_hub.data import resolve
from diffsr_hub.data.minari.source import datasets_root, local_datasets, make_root, open_source
from diffsr_hub.errors import UserError
from tests.homeless import without_home


def test_the_default_folder_is_minaris(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MINARI_DATASETS_PATH")
    monkeypatch.setenv("HOME", "/home/someone")
    assert datasets_root() == Path("/home/someone/.minari/datasets")


def test_complete_datasets_are_listed(make: Any, tmp_path: Path) -> None:
    assert local_datasets() == {}
    ids = [make(f"mujoco/hopper/{name}-v0", [2]) for name in ("a", "b", "c", "d")] + [make("plain-v1", [1])]
    root = tmp_path / "datasets"
    (root / ids[1] / "data/metadata.json").write_text("{")
    (root / ids[2] / "data/main_data.hdf5").unlink()
    shutil.rmtree(root / ids[3] / "data")
    assert set(local_datasets()) == {ids[0], ids[4]}


@pytest.mark.parametrize(
    "stray",
    ["good-v0.bak", "copy of good", "data", "test/data", ".cache", "good", "ünïcödé-v0", "0", "a/b/c/d/e/f/g/h/i/j"],
)
def test_what_is_no_dataset_is_passed_over(make: Any, tmp_path: Path, stray: str) -> None:
    identifier, root = make(lengths=[2]), tmp_path / "datasets"
    (root / stray).mkdir(parents=True)
    (root / f"{stray}-file").touch()
    shutil.copy(root / identifier / "data/metadata.json", root / f"{stray}.json")
    assert set(local_datasets()) == {identifier}
    assert resolve(["test/coded"], download=False, say=lambda _: None).ids == (identifier,)


def test_a_copy_of_a_dataset_is_passed_over(make: Any, tmp_path: Path) -> None:
    identifier, root = make(lengths=[2]), tmp_path / "datasets"
    for name in ("coded-v0.bak", "coded-v0 (2)", "coded-v0~"):
        shutil.copytree(root / identifier, root / "test" / name)
    assert set(local_datasets()) == {identifier}
    assert resolve(["test"], download=False, say=lambda _: None).ids == (identifier,)


def test_links_may_form_a_ring(make: Any, tmp_path: Path) -> None:
    identifier, root = make(lengths=[2]), tmp_path / "datasets"
    (root / "test/ring").symlink_to(root)
    (root / "self").symlink_to(root / "self")
    (root / "nowhere").symlink_to(tmp_path / "nothing")
    (root / "alias").symlink_to(root / "test")
    assert set(local_datasets()) == {identifier, "alias/coded-v0"}


def test_folders_that_cannot_be_read_are_passed_over(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identifier = make(lengths=[2])
    (tmp_path / "datasets/locked").mkdir()
    scandir = os.scandir

    def refusing(path: Any) -> Any:  # the tests may run as root, who may read everything
        if Path(path).name == "locked":
            raise PermissionError(errno.EACCES, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert set(local_datasets()) == {identifier}


def test_the_hash_is_that_of_the_data_file(make: Any) -> None:
    source = open_source(make())
    assert source.sha256() == hashlib.sha256((source.folder / "main_data.hdf5").read_bytes()).hexdigest()


def test_the_hash_of_many_files_knows_their_names(make: Any) -> None:
    source = open_source(make(data_format="arrow"))
    before = source.sha256()
    (source.folder / "0").rename(source.folder / "9")
    assert source.sha256() != before


@pytest.mark.parametrize("content", ["{", "[]", "\x00", "[" * 100_000])
def test_metadata_that_cannot_be_read_is_named(make: Any, content: str) -> None:
    identifier = make()
    (open_source(identifier).folder / "metadata.json").write_text(content)
    with pytest.raises(UserError, match=r"test/coded-v0: cannot read .*metadata.json .*download it again"):
        open_source(identifier)


def test_metadata_without_spaces_is_refused(make: Any) -> None:
    path = open_source(make()).folder / "metadata.json"
    content = json.loads(path.read_text())
    del content["action_space"]
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"metadata.json lacks action_space"):
        open_source("test/coded-v0")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"total_episodes": "3"}, "total_episodes in its metadata is '3', not a number"),
        ({"total_episodes": True}, "total_episodes in its metadata is 'True', not a number"),
        ({"data_format": "zarr"}, "stored as 'zarr'; hdf5, arrow, parquet can be read"),
        ({"data_format": ["hdf5"]}, r"stored as .* can be read"),
    ],
)
def test_metadata_that_mean_nothing_are_refused(make: Any, changes: dict[str, Any], message: str) -> None:
    path = open_source(make()).folder / "metadata.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(UserError, match=message):
        open_source("test/coded-v0")


def test_without_a_home_the_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MINARI_DATASETS_PATH")
    without_home(monkeypatch)
    with pytest.raises(UserError, match="no home folder: set MINARI_DATASETS_PATH"):
        datasets_root()


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv("MINARI_DATASETS_PATH", "~/data")
    assert datasets_root() == Path("/home/someone/data")


def test_minari_uses_the_same_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MINARI_DATASETS_PATH", "~/a/b")
    assert make_root() == tmp_path / "a/b" == get_dataset_path() and (tmp_path / "a/b").is_dir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINARI_DATASETS_PATH", "c")
    assert make_root() == tmp_path / "c" == get_dataset_path() == datasets_root()
