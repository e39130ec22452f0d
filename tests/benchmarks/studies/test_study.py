import json
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from benchmarks.studies import study
from diffsr_hub.errors import UserError
from diffsr_hub.files.atomic import write_json
from diffsr_hub.studies.recorded_runs import RECORD


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


def test_what_is_kept_of_a_run_is_its_evaluations(tmp_path: Path) -> None:
    run = tmp_path / "runs/task/arm/seed-0"
    for file in (run / "evaluation.json", run / "agent/evaluation.json", run / "plot.png"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}")
    study.keep(tmp_path / "runs", tmp_path / "kept")
    kept = [file.relative_to(tmp_path) for file in (tmp_path / "kept").rglob("*") if file.is_file()]
    assert kept == [Path("kept/task/arm/seed-0/evaluation.json")]


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


def test_every_robot_has_an_encoder_a_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, int, Path]] = []
    monkeypatch.setattr(study, "pretrain", lambda *arguments: calls.append(arguments))
    study.pretrain_robots(["Hopper-v5", "diffsr/Hopper-backward-v0"], (0, 1), workers=1)
    assert calls == [("mujoco/hopper/bundled-v0", s, Path(f"runs/encoders/hopper-{s}")) for s in (0, 1)]


def test_the_matrix_comes_with_the_first_arm_beside_scratch_and_has_the_tasks_with_scratch(tmp_path: Path) -> None:
    def record(env: str, arm: str, success: float) -> None:
        rows = [{"step": s, "seconds": s, "mean_return": 0.0, "success_rate": success * s} for s in (0, 1)]
        place = tmp_path / env / arm / "seed-0"
        place.mkdir(parents=True)
        write_json(place / RECORD, {"arm": arm, "env": env, "seed": 0, "evaluations": rows})

    def draw() -> None:
        study.draw_matrix(["scratch", "frozen", "other"], tmp_path)

    record("A-v0", "scratch", 0.5)
    record("A-v0", "sac", 1.0)
    record("B-v0", "frozen", 1.0)
    draw()
    assert not (tmp_path / "matrix.json").exists()  # SAC is none of the rows, and B has no run from scratch
    record("A-v0", "frozen", 0.75)
    draw()
    matrix = json.loads((tmp_path / "matrix.json").read_text())
    assert matrix["arms"] == ["frozen"] and len(matrix["columns"]) == 1
    assert matrix["columns"][0]["cells"][0]["gain"]["centre"] == pytest.approx(12.5)
    study.draw_matrix(["frozen", "scratch"], tmp_path, reference="sac")
    matrix = json.loads((tmp_path / "sac/matrix.json").read_text())
    assert matrix["arms"] == ["frozen", "scratch"] and "--reference sac" in matrix["command"]
    assert [cell["gain"]["centre"] for cell in matrix["columns"][0]["cells"]] == pytest.approx([-12.5, -25.0])
