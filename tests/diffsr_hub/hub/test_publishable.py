"""A folder is published only if it is a whole export, loads strictly, and has the card that its files render."""

import json
import re
from pathlib import Path

import pytest

from diffsr_hub import cli
from diffsr_hub.cards.card import write_card
from diffsr_hub.errors import UserError
from diffsr_hub.files.atomic import write_json
from diffsr_hub.hub.publish import publish
from diffsr_hub.hub.publishable import publishable
from tests.hub.publishing import contents, refusal
from tests.hub.samples import CLIENTS_OWN_WARNING, NAME
from tests.hub.server import Hub

pytest_plugins = ["tests.hub.fixtures"]
pytestmark = pytest.mark.filterwarnings(CLIENTS_OWN_WARNING)


def edit_card(folder: Path, old: str, new: str) -> None:
    text = (folder / "README.md").read_text()
    assert old in text
    (folder / "README.md").write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("0.900", "0.999"),
        ("license: mit\n", ""),
        ("license: mit\n", "license: &a mit\nx: *a\n"),
        ("## Limits", "## Limits <script>alert(1)</script>"),
        (f'"{NAME}"', '"path/to/this/folder"'),
        (f'"{NAME}"', '"org/other"'),
        ("](diagnostics.png)", "](../secret.png)"),
    ],
)
def test_a_card_that_its_files_do_not_render_is_refused_and_nothing_is_asked(
    hub: Hub, folder: Path, old: str, new: str
) -> None:
    edit_card(folder, old, new)
    assert refusal(folder) == (
        f"{folder / 'README.md'} is not what its files say of {NAME}: "
        f"`diffsr card {folder} --repository {NAME}` writes it anew"
    )
    assert hub.requests == []


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"x" * 2_000_000], ids=["nothing", "no text", "too large"])
def test_a_card_that_is_none(folder: Path, content: bytes) -> None:
    (folder / "README.md").write_bytes(content)
    assert "README.md is not what its files say" in refusal(folder)


def test_a_card_tells_to_load_the_repository_that_it_is_published_in(hub: Hub, folder: Path) -> None:
    assert "is not what its files say of org/other: " in refusal(folder, "org/other")
    cli.main(["card", str(folder), "--repository", "org/other"])
    publish(folder, "org/other")


@pytest.mark.parametrize("name", ["dataset.json", "diagnostics.json", "transfer.json"])
@pytest.mark.parametrize("content", ["", "{", "{}", "[]", "null", '{"rows": NaN}'])
def test_a_file_that_a_card_cannot_be_written_from_is_named(hub: Hub, folder: Path, name: str, content: str) -> None:
    (folder / name).write_text(content)
    assert name in refusal(folder)
    assert hub.requests == []


def test_a_picture_that_is_none(folder: Path) -> None:
    (folder / "diagnostics.png").write_bytes(b"<script>")
    assert "diagnostics.png is not a picture" in refusal(folder)


@pytest.mark.parametrize("name", ["last.ckpt", "model.pt", ".env", "pytorch_model.bin", "replay_buffer.pkl", "x.py"])
def test_other_files_are_never_published(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"")
    assert f"holds {name!r}, which would be published: move it away" in refusal(folder)


@pytest.mark.parametrize(
    "name", ["README.md", "dataset.json", "diagnostics.json", "diagnostics.png", "model.safetensors"]
)
def test_a_part_of_an_export_is_not_published(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert f"lacks {name}: it is not a whole export" in refusal(folder)


def test_links_are_not_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("{}")
    (folder / "dataset.json").unlink()
    (folder / "dataset.json").symlink_to(tmp_path / "secret")
    assert "dataset.json is a link or a folder" in refusal(folder)


@pytest.mark.parametrize("token", ["hf_" + "aB3" * 12, "hf_writer"])
def test_a_token_in_a_text_is_not_published(hub: Hub, folder: Path, token: str) -> None:
    made_of = json.loads((folder / "dataset.json").read_text())
    made_of["training"]["command"] = f"HF_TOKEN={token} diffsr pretrain"
    write_json(folder / "dataset.json", made_of)
    write_card(folder, NAME)
    assert re.search(r"(README.md|dataset.json) holds an access token: take it out, revoke it", refusal(folder))
    assert hub.requests == []


def test_a_folder_that_does_not_load_strictly(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"feature_dim": 7}))
    assert "does not fit its config.json" in refusal(folder)
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "GPT"}))
    assert "unknown model_type in" in refusal(folder)


def test_a_good_folder_is_listed_by_name(folder: Path) -> None:
    assert [file.name for file in publishable(folder, NAME)] == sorted(contents(folder))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "dataset.json", "diagnostics.png", "README.md"])
def test_a_pointer_of_git_lfs_is_not_published(folder: Path, name: str) -> None:
    (folder / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(UserError, match=f"{name} is a pointer of Git LFS.*run `git lfs pull`"):
        publishable(folder, NAME)
