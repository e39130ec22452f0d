import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from benchmarks.studies import study
from diffsr_hub.data.minari.ids import bundled
from diffsr_hub.errors import UserError


def test_after_a_failure_nothing_more_begins() -> None:
    done: list[int] = []

    def fail() -> None:
        raise ValueError("no")

    def late() -> None:
        time.sleep(0.01)  # so that the pool cannot be through with all before the failure is seen
        done.append(2)

    with pytest.raises(ValueError, match="no"):
        study.carry_out(ThreadPoolExecutor(1), [partial(done.append, 1), fail, *[late] * 1_000])
    assert done[0] == 1 and len(done) < 1_000
    study.carry_out(ThreadPoolExecutor(2), [partial(done.append, 3)])
    assert done[-1] == 3


def test_an_encoder_is_trained_once_and_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, ...]] = []
    monkeypatch.setattr(study, "program", lambda *arguments: calls.append(arguments))
    study.pretrain("metaworld/mt10", 3, tmp_path, "--max_steps", "5")
    (tmp_path / "dataset.json").touch()  # begun
    study.pretrain("metaworld/mt10", 3, tmp_path, "--max_steps", "5")
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder/config.json").touch()  # finished
    study.pretrain("metaworld/mt10", 3, tmp_path, "--max_steps", "5")
    assert [call[:3] for call in calls] == [
        ("pretrain/fit.py", "--dataset", "metaworld/mt10"),
        ("pretrain/fit.py", "--resume", str(tmp_path)),
    ]
    assert calls[0][-2:] == ("--max_steps", "5")


def test_a_program_that_fails_is_one_line() -> None:
    with pytest.raises(UserError, match=r"^-c .* ended with exit code 3; the same study goes on from there$"):
        study.program("-c", "raise SystemExit(3)")


def test_a_sweep_has_the_settings_of_its_study(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, ...]] = []
    monkeypatch.setattr(study, "program", lambda *arguments: calls.append(arguments))
    study.sweep(["A-v0", "B-v0"], Path("arms.yaml"), [1, 2], Path("runs"), workers=2, total_steps=5, eval_every=1)
    flags = ["--settings.total_steps=5", "--settings.eval_every=1", "--settings.video_steps=0"]
    assert calls[0][-4:] == (*flags, "--settings.download=false")
    assert "A-v0,B-v0" in calls[0] and "1,2" in calls[0]


def test_every_robot_has_an_encoder_a_seed_and_no_two_begin_with_the_same_data(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[object, ...]] = []
    monkeypatch.setattr(study, "pretrain", lambda *arguments: calls.append(arguments))
    study.pretrain_robots(["hopper", "walker2d", "hopper"], (3, 4), steps=7, workers=1)
    pairs = [("hopper", 3), ("walker2d", 3), ("hopper", 4), ("walker2d", 4)]
    assert calls == [
        (bundled(f"mujoco/{robot}"), seed, Path(f"runs/encoders/{robot}-{seed}"), "--max_steps", "7")
        for robot, seed in pairs
    ]
