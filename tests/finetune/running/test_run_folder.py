"""Laws of a run's folder: one run at a time, with its own settings, and nothing of an older run is touched."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

from diffsr_hub.errors import UserError
from finetune.config import FinetuneConfig
from finetune.running.run_folder import RunFolder


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def start(config: FinetuneConfig) -> RunFolder:
    folder = RunFolder.of(config)
    with folder.in_use(config):
        return folder


def test_a_run_is_named_after_task_arm_and_seed_and_counts_up():
    config = FinetuneConfig(env="diffsr/Hopper-backward-v0", encoder="a/b", mode="frozen", seed=4)
    names = [start(config).path for _ in range(3)]
    assert names == [Path("runs", f"Hopper-backward-v0-frozen-4{end}") for end in ("", "-2", "-3")]


def test_nothing_is_written_before_it_is_used():
    config = FinetuneConfig()
    RunFolder.of(config).check(config)
    assert list(Path().iterdir()) == []


def test_a_new_run_writes_down_its_settings():
    config = FinetuneConfig(run_dir=Path("x"), actor_hidden=(7,), tau=0.5)
    folder = start(config)
    assert folder.stored_config() == config
    assert folder.stored_config(["--total_steps", "7"]).total_steps == 7


@pytest.mark.parametrize("method", ["check", "in_use"])
def test_an_existing_folder_is_left_alone_and_resume_is_proposed(method):
    config = FinetuneConfig(run_dir=Path("x"))
    folder = start(config)
    before = folder.config.read_bytes()
    with pytest.raises(UserError, match=r"x exists already.*--run_dir.*--resume x"):
        if method == "check":
            folder.check(config)
        else:
            start(replace(config, seed=1))
    assert folder.config.read_bytes() == before


@pytest.mark.parametrize(
    "change", [{"seed": 5}, {"encoder": "a/b"}, {"env": "Ant-v5"}, {"capacity": 3}, {"num_envs": 2}]
)
def test_a_resumed_run_is_the_same_run(change):
    config = FinetuneConfig(run_dir=Path("x"))
    folder, other = start(config), replace(config, resume=Path("x"), **change)
    ((name, value),) = change.items()
    before = folder.config.read_bytes()
    for use in (folder.check, start):
        with pytest.raises(UserError, match=f"was started with {name}={getattr(config, name)}, not {value}"):
            use(other)
    assert folder.config.read_bytes() == before


def test_a_resumed_run_may_be_longer_and_that_is_written_down():
    config = FinetuneConfig(run_dir=Path("x"))
    start(config)
    folder = start(replace(config, resume=Path("x"), total_steps=7))
    assert folder.stored_config() == replace(config, total_steps=7)


@pytest.mark.parametrize("make", [lambda p: None, lambda p: p.mkdir(), lambda p: p.write_text("")])
def test_what_is_no_run_folder_cannot_be_resumed_and_stays_as_it_is(make):
    make(Path("x"))
    before = sorted(Path().rglob("*"))
    config = FinetuneConfig(resume=Path("x"))
    for use in (RunFolder.of(config).check, start, lambda _: RunFolder(Path("x")).stored_config()):
        with pytest.raises(UserError, match="x is not a run folder: it has no config"):
            use(config)
    assert sorted(Path().rglob("*")) == before


def test_a_second_run_in_the_same_folder_is_refused_while_the_first_lasts():
    config = FinetuneConfig(run_dir=Path("x"))
    folder = RunFolder.of(config)
    with folder.in_use(config), pytest.raises(UserError, match=r"x is in use by process \d+ on "):
        start(replace(config, resume=Path("x")))
    start(replace(config, resume=Path("x")))


def test_a_run_that_fails_leaves_its_folder_to_others():
    config = FinetuneConfig(run_dir=Path("x"))
    with pytest.raises(RuntimeError), RunFolder.of(config).in_use(config):
        raise RuntimeError
    start(replace(config, resume=Path("x")))


def test_a_place_where_nothing_can_be_written_is_named(monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(UserError, match="cannot write the run folder x: Permission denied"):
        start(FinetuneConfig(run_dir=Path("x")))
