import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from diffsr_hub.data.minari.source import datasets_root, local_datasets, open_source
from diffsr_hub.errors import UserError


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


def test_the_hash_is_that_of_the_data_file(make: Any) -> None:
    source = open_source(make())
    assert source.sha256() == hashlib.sha256((source.folder / "main_data.hdf5").read_bytes()).hexdigest()


def test_the_hash_of_many_files_knows_their_names(make: Any) -> None:
    source = open_source(make(data_format="arrow"))
    before = source.sha256()
    (source.folder / "0").rename(source.folder / "9")
    assert source.sha256() != before


@pytest.mark.parametrize("content", ["{", "[]", "\x00"])
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
