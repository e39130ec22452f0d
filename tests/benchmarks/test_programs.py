"""Every program under benchmarks/ runs to its end, with few steps, and writes nothing into the checkout.

They are started as a user starts them, in one temporary folder, whose data and encoder they share. A new program needs
a line in `FLAGS`.
"""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from benchmarks.program import ROOT
from diffsr_hub.files.json_lines import read_json_lines

ROBOT, ENV, TASK = "invertedpendulum", "InvertedPendulum-v5", "metaworld/door-close-v3"
ENCODER = f"runs/encoders/{ROBOT}-0/encoder"
BRIEF = {"learning_starts": 8, "batch_size": 8, "eval_episodes": 1}
FROZEN = {**BRIEF, "mode": "frozen", "warm_start": 4, "offline_dataset": f"mujoco/{ROBOT}", "encoder": ENCODER}
OWN = {**BRIEF, "mode": "frozen", "encoder": "runs/encoders/metaworld-{name}-{seed}/encoder"}
ARMS = {"two": {"scratch": BRIEF, "frozen": FROZEN}, "one": {"frozen": FROZEN}, "task": {"own": OWN}}
"""what the studies' own files of arms are, but brief"""
FEW = ["--workers", "1", "--root", "kept", "--seeds", "[0]"]
FLAGS = {
    "fuzz_loader.py": ["-runs=20", "-max_len=12000"],
    "speed/acting.py": ["--rounds", "1"],
    "speed/data_loading.py": ["--steps", "3000", "--repeats", "1"],
    "speed/lightning_overhead.py": ["--steps", "110", "--rounds", "1", "--batch_size", "8"],
    "speed/many_tasks.py": ["--steps", "500", "--rounds", "1", "--count", "45", "--batch_size", "8"],
    "speed/metaworld_collection.py": ["--group", TASK, "--steps", "500"],
    "speed/online_step.py": ["--rounds", "1", "--steps", "2", "--batch_size", "8"],
    "speed/rendering.py": ["--rounds", "1", "--size", "16", "--environments", '["Hopper-v5"]'],
    "speed/update_time.py": ["--rounds", "1", "--robots", '["hopper"]', "--batch_size", "8"],
    "studies/bold_by_chance.py": ["--draws", "2"],
    "studies/encoders.py": [
        *("--robots", f'["{ROBOT}"]', "--seeds", "1", "--pretrain_steps", "20", "--processes", "1", "--root", "kept")
    ],
    "studies/ingredients.py": ["--tasks", f'["{ENV}"]', "--total_steps", "1005", *FEW],
    "studies/meta_world.py": [
        *("--tasks", "door-close", "--arms", "task.yaml", "--total_steps", "20", "--collect_steps", "2500"),
        *("--pretrain_steps", "20", *FEW),
    ],
    "studies/sac.py": ["--env", ENV, "--run_dir", "runs/sac", "--total_steps", "200", "--eval_every", "100"],
    "studies/scaling.py": [
        *("--tasks", "[1]", "--episodes", "[5]", "--total", "5", "--probes", "door-close", "--updates", "20"),
        *("--measured", "2", *FEW),
    ],
    "studies/transfer.py": [
        *("--tasks", ENV, "--arms", "two.yaml", "--total_steps", "20", "--pretrain_steps", "20", *FEW)
    ],
    "studies/unlearning.py": [
        *("--tasks", ENV, "--arms", "one.yaml", "--total_steps", "20", "--pretrain_steps", "20", *FEW)
    ],
}
WRITTEN = ("results", "docs", "model_cards", "runs")
"""of the checkout: what no program touches that is told to write elsewhere"""


def programs() -> list[str]:
    folder = ROOT / "benchmarks"
    files = [file for file in folder.rglob("*.py") if '__name__ == "__main__"' in file.read_text(encoding="utf-8")]
    return sorted(file.relative_to(folder).as_posix() for file in files)


def run(folder: Path, *arguments: str) -> str:
    """What a program prints; it has to end well."""
    place = {"MINARI_DATASETS_PATH": str(folder / "datasets"), "DIFFSR_CACHE": str(folder / "cache")}
    env = os.environ | place | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, f"{done.stdout[-2_000:]}\n{done.stderr[-4_000:]}"
    return done.stdout


def state() -> dict[Path, float]:
    return {file: file.stat().st_mtime for name in WRITTEN for file in (ROOT / name).rglob("*")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """With the robot's data, its encoder, and files of arms."""
    before, folder = state(), tmp_path_factory.mktemp("programs")
    (folder / "datasets").mkdir()
    for name, arms in ARMS.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(arms))
    run(folder, str(ROOT / "pretrain/collect.py"), f"mujoco/{ROBOT}", "--steps", "500")
    run(folder, str(ROOT / "benchmarks/studies/encoders.py"), *FLAGS["studies/encoders.py"])
    yield folder
    assert state() == before


def test_every_program_has_its_flags_here() -> None:
    assert programs() == sorted(FLAGS)


@pytest.mark.parametrize("program", programs())
def test_a_program_runs_to_its_end(program: str, folder: Path) -> None:
    if program == "fuzz_loader.py" and importlib.util.find_spec("atheris") is None:
        pytest.skip("it needs atheris, which the development installation does not bring")
    printed = run(folder, str(ROOT / "benchmarks" / program), *FLAGS[program])
    if program.startswith("speed/"):
        assert f"python benchmarks/{program} {FLAGS[program][0]}" in printed and "| --- |" in printed


def test_a_study_goes_on_from_what_there_is(folder: Path) -> None:
    """Its encoder is that of another study, and its own runs are not run again."""
    program, flags = str(ROOT / "benchmarks/studies/unlearning.py"), FLAGS["studies/unlearning.py"]
    weights, results = folder / ENCODER / "model.safetensors", folder / "kept/results/unlearning.jsonl"
    before = weights.stat().st_mtime
    if not results.is_file():
        run(folder, program, *flags)
    kept = read_json_lines(results)
    assert [(record["env"], record["arm"], record["seed"]) for record in kept] == [(ENV, "frozen", 0)]
    table = run(folder, program, *flags).splitlines()[-3:]
    assert f"| {ENV} | frozen | 0 |" in table[1]
    assert run(folder, program, "--train", "false", "--root", "kept").splitlines()[-3:] == table
    assert read_json_lines(results) == kept
    assert weights.stat().st_mtime == before
