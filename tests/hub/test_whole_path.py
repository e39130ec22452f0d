"""From a dataset on the Hub to an encoder, and to an agent on the Hub and back, by the commands that a user gives."""

import json
import re
from pathlib import Path

import pytest
import torch
from huggingface_hub import metadata_load

from diffsr_hub import DiffSR, cli, from_pretrained
from finetune import Agent
from pretrain.collect import collect
from tests.hub.samples import CLIENTS_OWN_WARNING
from tests.hub.server import Hub

pytest_plugins = ["tests.hub.fixtures"]
pytestmark = pytest.mark.filterwarnings(CLIENTS_OWN_WARNING)
TINY = [
    *("--psi_hidden", "[16]", "--nu_hidden", "[16]", "--feature_dim", "8", "--num_levels", "5"),
    *("--num_frequencies", "8", "--batch_size", "32", "--max_steps", "50", "--checkpoint_every", "50"),
    *("--validate_every", "50", "--warmup_steps", "10", "--progress", "false", "--accelerator", "cpu"),
]

FEW_STEPS = [
    *("--env", "InvertedPendulum-v5", "--total_steps", "30", "--learning_starts", "10", "--eval_every", "15"),
    *("--eval_episodes", "2", "--batch_size", "8", "--actor_hidden", "[8]", "--critic_frequencies", "4"),
    *("--video_steps", "0", "--progress", "false"),
]


@pytest.fixture
def machine(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without data, whose Hub has one dataset."""
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "elsewhere"))
    collect("mujoco/invertedpendulum", steps=1_500, say=lambda _: None)
    folder = tmp_path / "elsewhere" / "mujoco"
    files = {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    hub.store.plant("farama-minari/mujoco", files, kind="datasets")
    environment = {"MINARI_DATASETS_PATH": tmp_path / "here", "DIFFSR_CACHE": tmp_path / "cache"}
    for name, value in {**environment, "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": 0}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.delenv("MINARI_REMOTE", raising=False)
    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def share(folder: str, name: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Publish a folder; the commit that the program prints."""
    cli.main(["card", folder, "--repository", name])
    cli.main(["publish", folder, name, "--private"])
    said = capsys.readouterr()
    assert "hf_writer" not in said.out + said.err
    (commit,) = re.findall("^commit (.*)$", said.out, re.MULTILINE)
    return str(commit)


def test_download_pretrain_publish_fine_tune_publish_and_load_by_name(
    hub: Hub, machine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, encoder = "org/diffsr-pendulum", "runs/pendulum/encoder"
    cli.main(["pretrain", "--dataset", "mujoco/invertedpendulum", "--run_dir", "runs/pendulum", *TINY])
    assert hub.asked(r"GET /datasets/farama-minari/mujoco/resolve/.*\.json")
    assert list((machine / "here").rglob("main_data.*"))
    commit = share(encoder, name, capsys)
    here, there = DiffSR.from_pretrained(encoder), DiffSR.from_pretrained(name, revision=commit)
    obs, action = torch.randn(5, 4), torch.rand(5, 1)
    assert torch.equal(here.psi(obs, action), there.psi(obs, action))

    files = {file.name: file.read_bytes() for file in Path(encoder).iterdir()}
    hub.store.plant(name, files | {"config.json": b"{}"})  # whatever is published later
    pinned = ["--encoder", name, "--encoder_revision", commit]
    data = ["--offline_dataset", "mujoco/invertedpendulum"]
    cli.main(["finetune", *pinned, "--mode", "frozen", *data, "--run_dir", "runs/agent", *FEW_STEPS])
    made_of = json.loads(Path("runs/agent/agent/training.json").read_text())
    assert f"--encoder_revision={commit}" in made_of["command"]
    assert (made_of["encoder"]["source"], made_of["encoder"]["revision"]) == (name, commit)
    assert made_of["datasets"] == json.loads(Path(encoder, "dataset.json").read_text())["datasets"]
    commit = share("runs/agent/agent", "org/pendulum-agent", capsys)
    for agent in (Agent.from_pretrained("org/pendulum-agent", revision=commit), from_pretrained("org/pendulum-agent")):
        local, _ = Agent.from_pretrained("runs/agent/agent").predict(obs.numpy(), deterministic=True)
        assert (agent.predict(obs.numpy(), deterministic=True)[0] == local).all()
        assert torch.equal(agent.encoder.psi(obs, action), here.psi(obs, action))
    assert metadata_load(Path("runs/agent/agent/README.md"))["base_model"] == name

    written = b"".join(file.read_bytes() for file in (machine / "runs").rglob("*") if file.is_file())
    assert b"hf_writer" not in written
