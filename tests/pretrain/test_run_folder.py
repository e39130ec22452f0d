import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from diffsr_hub.errors import UserError
from pretrain.config import PretrainConfig
from pretrain.run_folder import RunFolder

DATA = [{"id": "a/b-v0", "sha256": "1" * 64}, {"id": "a/c-v1", "sha256": "2" * 64}]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def start(made: int = 0, **settings: Any) -> RunFolder:
    config = PretrainConfig(**settings)
    folder = RunFolder.of(config)
    with folder.in_use(config, DATA, made):
        return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("dataset", "name"),
    [("mujoco/hopper", "hopper"), ("mujoco/hopper/medium-v0,mujoco/ant", "hopper-medium-v0"), ("a/b", "a-b")],
)
def test_a_run_is_named_after_its_data(dataset, name):
    assert RunFolder.of(PretrainConfig(dataset=dataset)).path == Path("runs", name)


def test_free_names_count_up():
    names = [start().path.name for _ in range(3)]
    assert names == ["hopper", "hopper-2", "hopper-3"]


def test_nothing_is_written_before_it_is_used():
    RunFolder.of(PretrainConfig())
    assert not Path("runs").exists()


def test_a_new_run_writes_down_its_settings_and_its_data():
    folder = start(run_dir=Path("x"), psi_hidden=(7, 8))
    assert folder.stored_config() == PretrainConfig(run_dir=Path("x"), psi_hidden=(7, 8))
    assert set(contents(folder.path)) == {".lock", "config.yaml", "dataset.json"}
    assert folder.stored_config(["--max_steps", "3"]).max_steps == 3


def test_an_existing_folder_is_left_alone_and_resume_is_proposed():
    folder = start(run_dir=Path("x"))
    before = contents(folder.path)
    with pytest.raises(UserError, match=r"x exists already.*--run_dir.*--resume x"):
        start(run_dir=Path("x"), seed=5)
    assert contents(folder.path) == before


def test_a_resumed_run_keeps_new_settings_but_not_that_it_was_resumed():
    start(run_dir=Path("x"))
    folder = start(resume=Path("x"), run_dir=Path("x"), max_steps=30_000)
    assert folder.path == Path("x")
    assert folder.stored_config() == PretrainConfig(run_dir=Path("x"), max_steps=30_000)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"validation_fraction": 0.2},
        {"feature_dim": 64},
        {"psi_hidden": (256,)},
        {"nu_hidden": (128,)},
        {"psi_network": "residual"},
        {"score": "matrix"},
        {"num_levels": 10},
        {"schedule": "linear"},
        {"num_frequencies": 8},
        {"reward_coef": 0.1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_model_or_split_is_not_resumed_and_nothing_is_overwritten(change):
    folder = start(run_dir=Path("x"))
    before = contents(folder.path)
    with pytest.raises(UserError, match=rf"x was started with {next(iter(change))}=.*new run"):
        start(resume=Path("x"), **change)
    assert contents(folder.path) == before


def test_changed_data_is_not_resumed_and_nothing_is_overwritten():
    folder = start(run_dir=Path("x"))
    before = contents(folder.path)
    config = PretrainConfig(resume=Path("x"), max_steps=5)
    changed = [DATA[0], DATA[1] | {"sha256": "3" * 64}]
    for data in (changed, DATA[:1]):
        with pytest.raises(UserError, match="started on other data"), folder.in_use(config, data):
            pass
    assert contents(folder.path) == before


@pytest.mark.parametrize("missing", ["config.yaml", "dataset.json"])
def test_what_is_no_run_folder_is_not_resumed(missing):
    folder = start(run_dir=Path("x"))
    (folder.path / missing).unlink()
    with pytest.raises(UserError, match="x is not a run folder"):
        folder.stored_config()


def test_a_file_in_the_way_is_named():
    Path("runs").write_text("")
    with pytest.raises(UserError, match=r"cannot write the run folder runs/hopper: Not a directory"):
        start()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_disk_that_cannot_be_written_is_one_line(monkeypatch, code):
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(UserError) as error:
        start()
    assert str(error.value) == f"cannot write the run folder runs/hopper: {os.strerror(code)}"


def test_only_the_first_process_writes(monkeypatch):
    from lightning.pytorch.utilities import rank_zero_only

    start(run_dir=Path("x"))
    config = PretrainConfig(run_dir=Path("x"))
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    with RunFolder.of(config).in_use(replace(config, max_steps=7), DATA):
        pass
    assert RunFolder(Path("x")).stored_config() == config


def test_a_folder_is_of_one_process_at_a_time():
    folder = start(run_dir=Path("x"))
    config = PretrainConfig(resume=Path("x"))
    with (
        folder.in_use(config, DATA),
        pytest.raises(UserError, match="x is in use by process"),
        folder.in_use(config, DATA),
    ):
        pass


def test_fewer_updates_than_were_made_are_refused_and_nothing_is_overwritten():
    folder = start(run_dir=Path("x"), max_steps=100)
    before = contents(folder.path)
    with pytest.raises(UserError, match="x has made 100 updates: give --max_steps 100 or more, not 50"):
        start(100, resume=Path("x"), max_steps=50)
    assert contents(folder.path) == before


CHANGES = {"learning_rate": 0.5, "batch_size": 8, "lr_schedule": "constant", "weighting": "paper", "ema_decay": 0.9}


@pytest.mark.parametrize("name", [*CHANGES, "warmup_steps", "gradient_clip"])
def test_settings_that_no_update_would_use_are_refused_and_others_are_noted(name):
    change = {name: CHANGES.get(name, 3)}
    folder = start(run_dir=Path("x"), max_steps=100)
    before = contents(folder.path)
    with pytest.raises(UserError, match=f"x has made all of its 100 updates, and none would use {name}="):
        start(100, resume=Path("x"), max_steps=100, **change)
    assert contents(folder.path) == before and folder.history() == {}
    start(100, resume=Path("x"), max_steps=150, **change)
    start(120, resume=Path("x"), max_steps=150, **change)
    start(150, resume=Path("x"), max_steps=200, **change)
    assert folder.history()["changes"] == [
        {"step": 100, "settings": {"max_steps": 150, **change}},
        {"step": 150, "settings": {"max_steps": 200}},
    ]
    assert PretrainConfig(**{**folder.history()["started"], "run_dir": None}) == PretrainConfig(max_steps=100)


def test_what_was_not_trained_yet_may_change_without_a_note():
    folder = start(run_dir=Path("x"))
    start(resume=Path("x"), learning_rate=0.5)
    assert folder.history() == {} and folder.stored_config().learning_rate == 0.5
