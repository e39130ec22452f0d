"""The program as a user starts it: real processes, real MuJoCo data, real signals."""

import shutil
import signal
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pretrain import fit
from pretrain.collect import collect
from tests.machine import isolate
from tests.processes import ended, start

ROOT = Path(__file__).parents[2]
SCRIPT = [sys.executable, str(ROOT / "pretrain/fit.py")]
WAYS = {
    "script": SCRIPT,
    "module": [sys.executable, "-m", "pretrain.fit"],
    "program": [str(Path(sys.executable).with_name("diffsr")), "pretrain"],
}
TINY = [
    *("--dataset", "mujoco/invertedpendulum", "--psi_hidden", "[16]", "--nu_hidden", "[16]", "--feature_dim", "8"),
    *("--num_levels", "5", "--num_frequencies", "8", "--batch_size", "32", "--max_steps", "200"),
    *("--checkpoint_every", "50", "--validate_every", "100", "--warmup_steps", "10", "--accelerator", "cpu"),
]
EVERYTHING = ["--ema_decay", "0.9", "--gradient_clip", "1", "--reward_coef", "0.1"]

AT_A_STEP = """
import os, signal, sys
from pretrain import fit
from pretrain.module import DiffSRModule
original = DiffSRModule.training_step
def training_step(self, batch, batch_idx):
    if self.global_step == {step} and self.global_rank == 0:
        os.kill(os.getpid(), signal.{signal})
    return original(self, batch, batch_idx)
DiffSRModule.training_step = training_step
fit.main(sys.argv[1:])
"""
KILLED, ASKED_TO_STOP = AT_A_STEP.format(step=130, signal="SIGKILL"), AT_A_STEP.format(step=70, signal="SIGINT")


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("datasets")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINARI_DATASETS_PATH", str(root))
        collect("mujoco/invertedpendulum", steps=1_500, say=lambda _: None)
    return root


@pytest.fixture
def machine(datasets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with data, without a network; every process that a test starts sees it."""
    shutil.copytree(datasets, tmp_path / "datasets")
    isolate(monkeypatch, tmp_path)
    monkeypatch.delenv("PL_GLOBAL_SEED")  # a user's machine has none
    return tmp_path


def weights(run: str) -> bytes:
    return Path(run, "encoder/model.safetensors").read_bytes()


def test_three_ways_to_start_give_the_same_encoder_and_a_killed_run_goes_on_to_it(machine):
    """And none of them warns. The module is found where it is installed, or in the folder one is in."""
    killed = start([sys.executable, "-c", KILLED], *TINY, "--run_dir", "killed", PYTHONPATH=str(ROOT))
    code, _, _ = ended(killed)
    assert code == -signal.SIGKILL
    assert not Path("killed/encoder").exists()
    for name, way in WAYS.items():
        flags = ["--resume", "killed"] if name == "program" else [*TINY, "--run_dir", name]
        code, out, err = ended(start(way, *flags, PYTHONPATH=str(ROOT) if name == "module" else ""))
        assert (code, err) == (0, ""), name
        assert "load it: from diffsr_hub import DiffSR" in out
    assert weights("script") == weights("module") == weights("killed")


def test_a_run_with_an_average_killed_on_the_way_goes_on_bit_for_bit(machine):
    flags = [*TINY, *EVERYTHING, "--progress", "false"]
    killed = start([sys.executable, "-c", KILLED], *flags, "--run_dir", "killed", PYTHONPATH=str(ROOT))
    fit.main([*flags, "--run_dir", "whole"])
    assert ended(killed)[0] == -signal.SIGKILL
    fit.main(["--resume", "killed"])
    assert weights("killed") == weights("whole")


def test_two_processes_train_as_one_and_stop_together(machine):
    """Only the first is asked to stop, after step 70; both stop at 100 and go on to what one process reaches alone."""
    Path("asked.py").write_text(ASKED_TO_STOP)
    asked = [sys.executable, "asked.py"]
    code, out, err = ended(start(asked, *TINY, "--devices", "2", PYTHONPATH=str(ROOT)))
    assert code == 130, err
    assert out.count("stopped at step 100 of 200 and saved") == 1
    (two,) = Path("runs").iterdir()  # one folder for both
    code, out, err = ended(start(SCRIPT, "--resume", str(two)))
    assert (code, err) == (0, "")
    assert out.count("load it:") == 1
    fit.main([*TINY, "--progress", "false", "--run_dir", "one"])
    alone, together = (load_file(f"{run}/encoder/model.safetensors") for run in ("one", two))
    for name, tensor in alone.items():
        torch.testing.assert_close(together[name], tensor, rtol=1e-4, atol=1e-5)


def test_an_error_is_one_line_and_the_code_2(machine):
    code, _, err = ended(start(SCRIPT, "--dataset", "mujoco/hoper"))
    assert code == 2
    (line,) = err.splitlines()
    assert line.startswith("error: ") and "mujoco/invertedpendulum/bundled-v0" in line
    assert not Path("runs").exists()
