"""The program as a user meets it: real processes and signals, real MuJoCo, and one clear line for every mistake."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from diffsr_hub import DiffSR
from finetune import Agent
from finetune.train import main
from tests import processes
from tests.finetune.learning.stored import write
from tests.finetune.toys import Faulty, flags
from tests.machine import isolate
from tests.processes import MINUTE, ended

ROOT = Path(__file__).parents[2]
SCRIPT = [sys.executable, str(ROOT / "finetune/train.py")]
HOPPER = {
    **{"env": "Hopper-v5", "encoder": "hopper", "n_step": 3, "num_envs": 2, "total_steps": 600, "learning_starts": 50},
    **{"eval_every": 200, "checkpoint_every": 150, "log_every": 100, "offline_dataset": "hopper/random"},
}
WRAPPING = 190
AT_A_STEP = """
import os, signal, sys
from finetune import train
from finetune.running.training import Training
signal.signal(signal.SIGINT, signal.default_int_handler)  # shells start what is in the background without it
original = Training.advance
def advance(self):
    if {step} <= self.step < {step} + self.schedule.num_envs:
        os.kill(os.getpid(), signal.{signal})
    return original(self)
Training.advance = advance
train.main(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        isolate(patch, folder)
        write("hopper/random-v0", "Hopper-v5", episodes=20)
    return folder


@pytest.fixture(autouse=True)
def machine(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_encoder: Callable[..., DiffSR]
) -> Iterator[None]:
    """A folder with data and encoders, and no network; every process that a test starts sees it."""
    shutil.copytree(data / "datasets", tmp_path / "datasets")
    isolate(monkeypatch, tmp_path)
    encoder = make_encoder(11, 3)
    encoder.set_statistics(torch.zeros(11), torch.ones(11), torch.zeros(()), torch.ones(()))
    encoder.save_pretrained("hopper")
    make_encoder().save_pretrained("toy")
    Faulty.fails()
    yield
    Faulty.fails()


def start(*words: str, program: tuple[str, ...] = tuple(SCRIPT)) -> subprocess.Popen[str]:
    return processes.start(program, *words, PYTHONPATH=str(ROOT))


def at_step(step: int, name: str) -> tuple[str, ...]:
    return sys.executable, "-c", AT_A_STEP.format(step=step, signal=name)


def left(run: str) -> tuple[bytes, dict[str, Any]]:
    """What must be equal: the weights, and every evaluation but the time it took to get there."""
    evaluation = json.loads(Path(run, "evaluation.json").read_text())
    for row in evaluation["evaluations"]:
        del row["seconds"]
    return Path(run, "agent/model.safetensors").read_bytes(), evaluation


@pytest.mark.parametrize("capacity", [100_000, WRAPPING])
def test_a_killed_run_goes_on_bit_for_bit(capacity):
    """On real Hopper, with n-step returns, two environments and offline data; also where the ring wraps around."""
    words = flags(**HOPPER, capacity=capacity)
    killed = start(*words, "--run_dir", "killed", program=at_step(418, "SIGKILL"))
    main([*words, "--run_dir", "whole"])
    assert ended(killed)[0] == -signal.SIGKILL
    assert not Path("killed/agent").exists()
    if capacity == WRAPPING:
        main(["--resume", "killed"])
    else:
        code, out, err = ended(start("--resume", "killed"))
        assert (code, err) == (0, "")
        assert "load it: from finetune import Agent" in out
    assert left("killed") == left("whole")
    rows = [Path(run, "progress.csv").read_text().splitlines() for run in ("killed", "whole")]
    assert len(rows[0]) == len(rows[1]) == 7
    assert Agent.from_pretrained("killed/agent").arguments["env_id"] == "Hopper-v5"


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_run_that_is_asked_to_stop_saves_and_says_how_to_go_on(name):
    words = flags(**HOPPER)
    code, out, err = ended(start(*words, "--run_dir", "stopped", program=at_step(100, name)))
    assert (code, err) == (130, "interrupted\n")
    assert out.splitlines()[-2:] == [
        "stopped at step 102 of 600 and saved",
        "to go on: diffsr finetune --resume stopped",
    ]
    assert Path("stopped/checkpoint/state.safetensors").is_file() and not Path("stopped/agent").exists()


def test_a_folder_in_use_by_another_process_is_refused():
    first = start(*flags(**{**HOPPER, "total_steps": 1_000_000, "eval_every": 10**9}), "--run_dir", "run")
    try:
        deadline = time.monotonic() + MINUTE
        while not Path("run/checkpoint/state.safetensors").is_file():
            assert time.monotonic() < deadline and first.poll() is None
            time.sleep(0.05)
        assert f"run is in use by process {first.pid} on " in refused("--resume", "run", code=75)
        assert "run exists already" in refused(*flags(**HOPPER), "--run_dir", "run")
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.communicate()


def test_the_ways_to_start_it_know_its_flags():
    diffsr = Path(sys.executable).with_name("diffsr")
    for program in (tuple(SCRIPT), (str(diffsr), "finetune")):
        code, out, err = ended(start("--help", program=program))
        assert (code, err) == (0, "")
        assert "--encoder" in out and "Environment steps." in out


# In this process


def refused(*words: str, code: int = 2) -> str:
    """The one line on which the command ends with this code."""
    import io

    text = io.StringIO()
    with contextlib.redirect_stderr(text), pytest.raises(SystemExit) as error:
        main(list(words))
    lines = text.getvalue().splitlines()
    assert error.value.code == code and len(lines) == 1 and lines[0].startswith("error: "), lines
    return lines[0]


def toy(**changes: Any) -> list[str]:
    return flags(**{"env": "test/Faulty-v0", "encoder": "toy", **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder": "hopper"}, "its observation_space has 3 numbers, and the model's obs_dim is 11"),
        ({"encoder": "no/such/folder"}, "no/such/folder is neither a folder that exists nor a repository id"),
        ({"encoder": "datasets"}, "config.json"),
        ({"encoder": "none", "mode": "frozen"}, "mode=frozen needs a pretrained --encoder"),
        ({"mode": "liquid"}, "mode"),
        ({"env": "Hoper-v5"}, "cannot make the environment 'Hoper-v5'"),
        ({"env": "diffsr/Hopper-bakward-v0"}, "did you mean diffsr/Hopper-backward-v0?"),
        ({"env": "CartPole-v1"}, "Discrete(2)"),
        ({"env": "test/Unmakeable-v0"}, "licence"),
        ({"offline_dataset": "mujoco/hopper"}, "diffsr collect mujoco/hopper"),
        ({"offline_dataset": "hopper/random"}, "observations of 11 and actions of 3 numbers"),
        (
            {"env": "metaworld/reach-v3", "encoder": "none", "eval_episodes": 51},
            "an evaluation in metaworld/reach-v3 has 50 different episodes, always the same: "
            "episodes must be at most 50, got 51",
        ),
        ({"total_steps": 0}, "total_steps must be at least 1"),
        ({"num_envs": -1}, "num_envs must be at least 1"),
        ({"batch_size": "many"}, "batch_size"),
        ({"actor_hidden": [0]}, "actor_hidden"),
        ({"warm_start": 5}, "warm_start needs an --offline_dataset"),
        ({"discount": 1.5}, "discount"),
        ({"total_steps": 10**13, "capacity": 10**13}, "a replay buffer of 10,000,000,000,000 transitions has no place"),
        ({"batch_size": 10**10}, "batch_size must be at most 1,000,000, got 10000000000"),
    ],
    ids=str,
)
def test_a_mistake_is_one_line_and_leaves_nothing_behind(changes, message):
    before = sorted(Path().iterdir())
    assert message in refused(*toy(**changes), "--run_dir", "run")
    assert [path for path in sorted(Path().iterdir()) if path.name not in ("cache", "datasets")] == [
        path for path in before if path.name not in ("cache", "datasets")
    ]


@pytest.mark.parametrize("word", ["--total_step", "--totl_steps=5", "--encodr"])
def test_an_unknown_flag_is_named_with_the_one_that_was_meant(word):
    line = refused(word, "5")
    assert "unknown setting" in line and "did you mean" in line


def test_print_config_prints_what_config_reads(capsys):
    with pytest.raises(SystemExit) as error:
        main([*toy(tau=0.25), "--print_config"])
    assert error.value.code == 0
    printed = capsys.readouterr().out
    assert yaml.safe_load(printed)["tau"] == 0.25
    Path("settings.yaml").write_text(printed)
    main(["--config", "settings.yaml", "--run_dir", "run", "--total_steps", "4"])
    assert yaml.safe_load(Path("run/config.yaml").read_text())["tau"] == 0.25


def test_a_run_leaves_what_the_documentation_says(capsys):
    main([*toy(log_every=20), "--run_dir", "run"])
    names = {path.name for path in Path("run").iterdir()}
    assert names >= {
        *("config.yaml", "progress.csv", "tensorboard", "learning_curve.csv", "learning_curve.png"),
        *("evaluation.json", "checkpoint", "agent"),
    }
    out = capsys.readouterr().out
    assert "return: " in out and 'Agent.from_pretrained("run/agent")' in out


def test_a_run_without_a_name_gets_one():
    main(toy(total_steps=4, mode="frozen"))
    main(toy(total_steps=4, mode="frozen"))
    assert sorted(path.name for path in Path("runs").iterdir()) == ["Faulty-v0-frozen-0", "Faulty-v0-frozen-0-2"]


@pytest.mark.parametrize("word", [("--seed", "5"), ("--encoder", "none"), ("--batch_size", "3"), ("--n_step", "2")])
def test_a_resumed_run_is_the_same_run(word):
    main([*toy(total_steps=4), "--run_dir", "run"])
    before = Path("run/config.yaml").read_bytes()
    assert f"run was started with {word[0][2:]}=" in refused("--resume", "run", *word)
    assert Path("run/config.yaml").read_bytes() == before
    assert "give one of them" in refused("--resume", "run", "--run_dir", "other")


def test_a_resumed_run_has_the_offline_data_that_it_began_with():
    """A namespace names other data when a dataset comes to it, and an id when its file is written anew."""
    write("walk/one-v0", "test/Faulty-v0")
    main([*toy(offline_dataset="walk"), "--run_dir", "run"])
    before = Path("run/config.yaml").read_bytes()
    write("walk/two-v0", "test/Faulty-v0")
    line = refused("--resume", "run", "--total_steps", "70")
    assert "run was started with other offline data: walk/one-v0 (sha256 " in line and "walk/two-v0" in line
    shutil.rmtree("datasets/walk/two-v0")
    main(["--resume", "run"])
    shutil.rmtree("datasets/walk/one-v0")
    write("walk/one-v0", "test/Faulty-v0", episodes=6)
    assert "run was started with other offline data: walk/one-v0 (sha256 " in refused("--resume", "run")
    assert Path("run/config.yaml").read_bytes() == before


def test_a_resumed_run_does_not_end_before_where_it_is():
    """Or its agent would say that it learned for fewer steps than it did."""
    main([*toy(total_steps=61, num_envs=2), "--run_dir", "run"])  # two at a time: 62 in fact
    before = Path("run/config.yaml").read_bytes()
    line = refused("--resume", "run", "--total_steps", "40")
    assert "run is at step 62 already: give --total_steps 62 or more, not 40" in line
    assert Path("run/config.yaml").read_bytes() == before
    main(["--resume", "run"])
    assert json.loads(Path("run/agent/training.json").read_text())["steps"] == 61


@pytest.mark.parametrize("name", ["nowhere", "toy"])
def test_what_is_no_run_cannot_be_resumed(name):
    assert f"{name} is not a run folder" in refused("--resume", name)
    assert not Path("nowhere").exists() and len(list(Path("toy").iterdir())) == 2


def test_a_damaged_checkpoint_is_named():
    main([*toy(), "--run_dir", "run"])
    file = Path("run/checkpoint/state.safetensors")
    file.write_bytes(file.read_bytes()[:-9])
    assert "is not a readable checkpoint" in refused("--resume", "run")


@pytest.mark.parametrize("fault", ["raise", "nan_obs", "nan_reward", "raise_in_reset"])
def test_a_failing_environment_ends_the_run_with_its_last_step_saved(fault):
    Faulty.fails(fault, at=45)  # the evaluation of the first policy took ten steps
    assert "is saved, to go on: diffsr finetune --resume run" in refused(*toy(), "--run_dir", "run")
    Faulty.fails()
    main(["--resume", "run"])
    Agent.from_pretrained("run/agent")


def test_a_full_disk_is_one_line_and_the_older_checkpoint_goes_on(monkeypatch):
    import errno

    original, count = Path.write_bytes, []

    def failing(self: Path, content: Any) -> int:
        count.append("state" in self.name)
        if sum(count) == 3 and count[-1]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))
        return original(self, content)

    monkeypatch.setattr(Path, "write_bytes", failing)
    assert "No space left on device" in refused(*toy(checkpoint_every=20), "--run_dir", "run")
    monkeypatch.setattr(Path, "write_bytes", original)
    main(["--resume", "run"])
    Agent.from_pretrained("run/agent")


@pytest.mark.filterwarnings("ignore:.*overflow")
def test_a_run_that_diverges_is_one_line():
    assert "diverged" in refused(*toy(learning_rate=1e30), "--run_dir", "run")
    assert not Path("run/agent").exists()
