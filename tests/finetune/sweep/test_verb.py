"""The verb itself, and one real sweep of trainings: start, death, resumption, end, comparison."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from diffsr_hub.runs.command import parse
from diffsr_hub.studies.recorded_runs import read_runs
from finetune.sweep.verb import SweepConfig, main

SHORT = [
    *("--settings.learning_starts", "20", "--settings.eval_every", "200", "--settings.eval_episodes", "1"),
    *("--settings.batch_size", "4", "--settings.video_steps", "0", "--settings.checkpoint_every", "20"),
]


def config(*arguments: str) -> SweepConfig:
    return parse(SweepConfig, arguments, prog="diffsr sweep", description="")


def test_lists_are_separated_by_commas() -> None:
    runs = config("--tasks", "Hopper-v5, Walker2d-v5", "--encoders", "none,org/x", "--seeds", "1").plan()
    assert [(run.env, run.arm, run.seed) for run in runs] == [
        ("Hopper-v5", "scratch", 1),
        ("Hopper-v5", "org-x", 1),
        ("Walker2d-v5", "scratch", 1),
        ("Walker2d-v5", "org-x", 1),
    ]


def test_settings_of_all_runs_are_flags() -> None:
    flags = ["--tasks", "Hopper-v5", "--settings.total_steps", "3", "--settings.actor_hidden", "[4, 5]"]
    (run,) = config(*flags, "--seeds", "0").plan()
    assert (run.typed()["total_steps"], run.typed()["actor_hidden"]) == (3, [4, 5])


@pytest.mark.parametrize("text", ["1e-3", "12e4567", "1e3", "on", "1:30", "null", "0x10", "yes", "010", "1_000"])
def test_a_text_among_them_stays_the_text_that_it_is(text: str) -> None:
    one = ["--tasks", "Hopper-v5", "--seeds", "0"]
    (run,) = config(*one, "--encoders", "org/x", "--settings.encoder_revision", text).plan()
    assert run.typed()["encoder_revision"] == text
    (run,) = config(*one, "--encoders", text).plan()
    assert run.typed()["encoder"] == text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: tasks"),
        (["--tasks", ","], "tasks is empty; give at least one"),
        (["--tasks", "a,b,a"], "tasks names a twice"),
        (
            ["--tasks", "a", "--seeds", "0,x"],
            "from 0 to 4294967295, separated by commas, got '0,x'",
        ),
        (["--tasks", "a", "--seeds", "4294967296"], "seeds must be numbers from 0 to 4294967295"),
        (["--tasks", "a", "--seeds", "9" * 5000], "seeds must be numbers from 0 to 4294967295"),
        (["--tasks", "a", "--workers", "0"], "workers must be at least 1, got 0"),
        (["--tasks", "a", "--workers", "2"], "serial runs one at a time; for 2 give --launcher processes"),
        (["--tasks", "a", "--encoders", "none", "--arms", "x.yaml"], "give either --encoders or --arms, not both"),
        (["--tasks", "a", "--retries=-1"], "retries must not be negative, got -1"),
        (["--tasks", "diffsr/Hopper-bckward-v0"], "task 'diffsr/Hopper-bckward-v0', valid: "),
        (["--tasks", "Hopper-v5", "--settings.batchsize", "3"], "unknown setting 'batchsize', valid:"),
    ],
)
def test_mistakes_are_one_line_and_start_nothing(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main([*arguments, "--folder", str(tmp_path / "sweep")])
    error = capsys.readouterr().err
    assert end.value.code == 2
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.rglob("*.log"))


def test_a_sweep_ends_with_1_where_a_run_fails_and_then_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of two arms one has no encoder; it gets one that exists, and the command is repeated."""
    arms, folder = tmp_path / "arms.yaml", tmp_path / "sweep"
    arms.write_text(f"scratch: {{encoder: none}}\nlost: {{encoder: {tmp_path}/nowhere}}\n")
    flags = ["--tasks", "Hopper-v5", "--arms", str(arms), "--seeds", "0", "--folder", str(folder), *SHORT]
    flags += ["--settings.total_steps", "30", "--launcher", "processes", "--workers", "2"]
    with pytest.raises(SystemExit) as end:
        main(flags)
    out = capsys.readouterr().out
    assert end.value.code == 1
    assert "failed   Hopper-v5 lost seed 0: exit code 2: error: " in out
    assert "died" not in out  # the encoder would not be there a second time either
    assert "1 of 2 runs are complete" in out
    arms.write_text("scratch: {encoder: none}\nlost: {encoder: none}\n")
    main(flags)
    out = capsys.readouterr().out
    assert "done     Hopper-v5 scratch seed 0: before" in out
    assert "2 of 2 runs are complete" in out
    assert [(run.arm, run.seed, run.steps[-1]) for run in read_runs([folder])] == [("lost", 0, 30), ("scratch", 0, 30)]
    assert not list(folder.glob(".stop*"))


def test_a_stopped_sweep_saves_its_runs_and_resumes_them(tmp_path: Path) -> None:
    """SIGTERM to the program, and Ctrl-C; then the same command comes to the end that an uninterrupted one has."""
    command = [sys.executable, "-m", "finetune.sweep.verb", "--tasks", "Hopper-v5", "--seeds", "0", *SHORT]
    command += ["--folder", str(tmp_path), "--settings.total_steps", "3000", "--settings.eval_every", "1500"]
    command += ["--settings.checkpoint_every", "1500"]
    checkpoint = tmp_path / "Hopper-v5" / "scratch" / "seed-0" / "checkpoint" / "state.safetensors"
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sweep:
        first = _when_written(checkpoint)
        os.kill(sweep.pid, signal.SIGTERM)
        os.kill(sweep.pid, signal.SIGINT)  # by someone impatient
        out, _ = sweep.communicate(timeout=300)
    assert sweep.returncode == 130
    assert "stopped  Hopper-v5 scratch seed 0: exit code 130" in out
    assert checkpoint.stat().st_mtime_ns > first  # saved once more
    assert not (checkpoint.parents[1] / "agent").exists()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "1 of 1 runs are complete" in done.stdout
    (run,) = read_runs([tmp_path])
    assert run.steps == (0, 1500, 3000)


def _when_written(file: Path) -> int:
    """Its time, in nanoseconds, as soon as it is there."""
    while not file.exists():
        time.sleep(0.02)
    return file.stat().st_mtime_ns
