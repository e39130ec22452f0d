"""What `diffsr info` and `diffsr list` say, and that no weights are asked for."""

import json
from pathlib import Path
from typing import Any

import pytest

from diffsr_hub import DiffSR, UserError, cli
from diffsr_hub.cards.card import write_card
from diffsr_hub.errors import plain
from diffsr_hub.hub.inspect import describe, list_models
from diffsr_hub.hub.publish import publish
from tests.hub.faults import Fault
from tests.hub.samples import CLIENTS_OWN_WARNING, NAME
from tests.hub.server import Hub

pytest_plugins = ["tests.hub.fixtures"]
pytestmark = pytest.mark.filterwarnings(CLIENTS_OWN_WARNING)


def refusal(source: str, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        describe(source, **options)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 700
    return str(caught.value)


def test_a_repository_is_described_without_its_weights(hub: Hub, folder: Path) -> None:
    commit = publish(folder, NAME, tag="v1").commit
    hub.requests.clear()
    found = describe(NAME)
    assert hub.asked(r"/lfs/|safetensors|README|png") == []
    assert (found["repository"], found["commit"], found["visibility"], found["versions"]) == (
        NAME,
        commit,
        "public",
        "v1",
    )
    assert found["parameters"] == f"{sum(p.numel() for p in DiffSR.from_pretrained(folder).parameters()):,}"
    assert found["data"] == "mujoco/hopper/medium-v0"
    assert found["command"] == "diffsr pretrain --dataset=mujoco/hopper"
    assert found["R² of the reward"] == "0.9"
    assert f"model.safetensors ({(folder / 'model.safetensors').stat().st_size:,} bytes)" in found["files"]


def test_folder_and_repository_hold_the_same(hub: Hub, folder: Path) -> None:
    publish(folder, NAME)
    published, local = describe(NAME), describe(str(folder))
    assert {name: local[name] for name in local if name not in ("folder", "files")}.items() <= published.items()


def test_an_older_version_is_described_as_it_was(hub: Hub, folder: Path) -> None:
    old = publish(folder, NAME).commit
    hub.store.plant(NAME, {"config.json": (folder / "config.json").read_bytes().replace(b'"vp"', b'"cosine"')})
    assert describe(NAME, old)["commit"] == old != describe(NAME)["commit"]


def test_the_list_shows_ours_and_what_they_are_about(
    hub: Hub, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(folder, NAME)
    write_card(folder, "other/diffsr-ant")
    publish(folder, "other/diffsr-ant", private=True)
    hub.store.plant("org/llama", {"README.md": b"---\ntags: [text]\n---\n"})
    assert [model.name for model in list_models()] == [NAME, "other/diffsr-ant"]
    cli.main(["list", "--author", "other"])
    assert capsys.readouterr().out == "other/diffsr-ant  2026-01-02  private  Hopper-v5\n"
    cli.main(["list", "--author", "nobody"])
    assert capsys.readouterr().err == "no models of diffsr-hub by nobody\n"


@pytest.mark.parametrize("limit", [0, -1])
def test_a_list_of_nothing_is_not_asked_for(hub: Hub, limit: int) -> None:
    with pytest.raises(UserError, match=f"--limit must be at least 1, got {limit}"):
        list_models(limit=limit)
    assert hub.requests == []


def test_private_models_are_listed_to_their_owners_only(
    hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(folder, NAME, private=True)
    monkeypatch.setenv("HF_TOKEN", "")
    assert list_models() == []
    assert "the Hub has no such repository, or it is private" in refusal(NAME)


def test_what_is_not_there(hub: Hub, folder: Path) -> None:
    publish(folder, NAME)
    assert "the Hub has no such repository, or it is private" in refusal("org/nothing")
    assert "it has no such revision" in refusal(NAME, revision="v9")
    assert "a repository is called like org/name" in refusal("no where")
    hub.store.plant("org/llama", {"model.safetensors": b""})
    assert "has no config.json: it is not a model of diffsr-hub" in refusal("org/llama")
    hub.store.plant("org/llama", {"config.json": b" " * 1_000_001})
    hub.requests.clear()
    assert "config.json is larger than 1,000,000 bytes" in refusal("org/llama")
    assert hub.asked("resolve") == []
    hub.faults = [Fault("^GET /api", times=100)]
    assert "the Hub did not describe it: the Hub itself fails" in refusal(NAME)
    with pytest.raises(UserError, match="the Hub did not give its list: the Hub itself fails"):
        list_models()


@pytest.mark.parametrize("content", ["[]", "{", '{"training": 1, "datasets": {"a": 1}, "probes": []}', "[" * 100_000])
def test_broken_metadata_is_left_out(folder: Path, content: str) -> None:
    for name in ("dataset.json", "diagnostics.json"):
        (folder / name).write_text(content)
    found = describe(str(folder))
    assert found["model"] == "DiffSR" and "command" not in found and "effective rank" not in found


def test_sizes_that_no_encoder_has(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    for changes, message in (
        ({"feature_dim": 10**9}, "feature_dim must be"),
        ({"depth": 1}, "does not describe a DiffSR"),
    ):
        (folder / "config.json").write_text(json.dumps(config | changes))
        assert message in refusal(str(folder))


def test_text_from_strangers_does_not_steer_the_terminal(folder: Path) -> None:
    made_of = json.loads((folder / "dataset.json").read_text())
    made_of["training"]["command"] = "x\x1b[2J\n\u202ey" + "z" * 10_000
    (folder / "dataset.json").write_text(json.dumps(made_of))
    assert describe(str(folder))["command"] == "x[2J y" + "z" * 494
    assert plain("a\0\r\nb") == "a b"
