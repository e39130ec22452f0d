import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from diffsr_hub import DiffSR
from diffsr_hub.data import Episodes
from diffsr_hub.data.part import Part
from diffsr_hub.diagnostics import residual_table
from diffsr_hub.errors import UserError
from pretrain.export import export

LENGTH, EPISODES, TRAIN, HELD_OUT = 20, 10, torch.arange(8), torch.arange(8, 10)
FILES = {"README.md", "config.json", "dataset.json", "diagnostics.json", "diagnostics.png", "model.safetensors"}


@pytest.fixture(scope="module")
def episodes() -> Episodes:
    generator = torch.Generator().manual_seed(0)
    frames = torch.randn(EPISODES * (LENGTH + 1), 3, generator=generator)
    action = torch.rand(EPISODES * LENGTH, 2, generator=generator) * 2 - 1
    row = torch.arange(EPISODES)[:, None] * (LENGTH + 1) + torch.arange(LENGTH)
    terminated = torch.zeros(EPISODES * LENGTH, dtype=torch.bool)
    lengths = torch.full((EPISODES,), LENGTH)
    return Episodes([Part(frames, action, action.sum(1), terminated, row.flatten(), lengths)])


@pytest.fixture
def made_of() -> dict[str, Any]:
    dataset = {
        "id": "test/noise-v0",
        "namespace": "test",
        "version": 0,
        "source": "local",
        "hub_revision": None,
        "sha256": "0" * 64,
        "env_spec": None,
        "total_episodes": EPISODES,
        "total_steps": EPISODES * LENGTH,
        "algorithm_name": "noise",
        "author": ["a"],
        "description": "d",
    }
    training = {
        "command": "diffsr pretrain --dataset=test/noise",
        "max_steps": 1,
        "batch_size": 1,
        "seed": 0,
        "transitions": EPISODES * LENGTH,
        "episodes": EPISODES,
        "seconds": 1.0,
        "device": "1 x cpu",
    }
    software = {"torch": "2", "diffsr-hub": "0", "git_commit": "0" * 40, "python": "3"}
    return {
        "datasets": [dataset],
        "source": "local",
        "env_id": None,
        "action_low": [-1.0, -1.0],
        "action_high": [1.0, 1.0],
        "software": software,
        "training": training,
    }


@pytest.fixture
def write(episodes: Episodes, made_of: dict[str, Any]) -> Any:
    def run(model: DiffSR, folder: Path) -> None:
        export(model, folder, made_of, episodes, TRAIN, HELD_OUT, seed=0)

    return run


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_it_leaves_a_whole_folder_and_nothing_beside_it(tmp_path, make_encoder, write, made_of):
    write(make_encoder(), tmp_path / "encoder")
    assert set(contents(tmp_path / "encoder")) == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["encoder"]
    assert json.loads((tmp_path / "encoder/dataset.json").read_text()) == made_of


def test_what_is_loaded_is_what_was_exported(tmp_path, make_encoder, write, episodes):
    model = make_encoder()
    write(model, tmp_path / "encoder")
    loaded = DiffSR.from_pretrained(tmp_path / "encoder")
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)
    assert torch.equal(loaded.unexplained, residual_table(model, episodes, TRAIN, 0))


def test_an_older_folder_is_replaced_with_all_that_is_in_it(tmp_path, make_encoder, write):
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder/old").write_text("")
    write(make_encoder(), tmp_path / "encoder")
    assert set(contents(tmp_path / "encoder")) == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["encoder"]


STAGES = ["residual_table", "diagnose", "write_json", "draw", "write_card"]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("before", [True, False])
def test_an_interruption_anywhere_keeps_the_old_folder_and_leaves_no_half_one(
    tmp_path, make_encoder, write, monkeypatch, stage, before
):
    if before:
        (tmp_path / "encoder").mkdir()
        (tmp_path / "encoder/old").write_text("kept")

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"pretrain.export.{stage}", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(make_encoder(), tmp_path / "encoder")
    assert [path.name for path in tmp_path.iterdir()] == ["encoder"] * before
    if before:
        assert contents(tmp_path / "encoder") == {"old": b"kept"}


def test_death_leaves_a_whole_folder_whenever_it_comes(tmp_path, make_encoder, write, monkeypatch):
    """Every state of the disk on the way has no encoder that lacks a file: as if killed at each change in turn."""
    write(make_encoder(seed=1), tmp_path / "encoder")
    old, seen = contents(tmp_path / "encoder"), []

    def watched(change: Any) -> Any:
        def run(*args: Any, **options: Any) -> Any:
            before = tmp_path / "encoder"
            seen.append(contents(before) if before.exists() else None)
            return change(*args, **options)

        return run

    monkeypatch.setattr(Path, "rename", watched(Path.rename))
    monkeypatch.setattr(shutil, "rmtree", watched(shutil.rmtree))
    write(make_encoder(seed=2), tmp_path / "encoder")
    new = contents(tmp_path / "encoder")
    assert old != new
    assert all(state in (old, None, new) for state in seen)
    assert seen.count(None) == 1  # between two renames


def test_leftovers_of_a_killed_export_are_cleared_away(tmp_path, make_encoder, write):
    for leftover in (".encoder.partial", ".encoder.replaced"):
        (tmp_path / leftover).mkdir()
        (tmp_path / leftover / "junk").write_text("")
    write(make_encoder(), tmp_path / "encoder")
    assert [path.name for path in tmp_path.iterdir()] == ["encoder"]
    assert set(contents(tmp_path / "encoder")) == FILES


def test_weights_that_are_not_finite_keep_the_old_folder(tmp_path, make_encoder, write):
    write(make_encoder(), tmp_path / "encoder")
    before, model = contents(tmp_path / "encoder"), make_encoder()
    with torch.no_grad():
        next(iter(model.parameters())).fill_(float("nan"))
    with pytest.raises(UserError):
        write(model, tmp_path / "encoder")
    assert contents(tmp_path / "encoder") == before
