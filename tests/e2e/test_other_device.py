"""A whole online run on a device that is not the CPU: nothing of it is forgotten here, whatever the settings are."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from diffsr_hub import DiffSR
from diffsr_hub.runs.interrupt import Stopped
from finetune.agent.agent import Agent
from finetune.running.run_folder import RunFolder
from finetune.running.training import Training
from finetune.train import compose
from tests import other_device
from tests.finetune.learning.stored import write
from tests.finetune.toys import settings
from tests.machine import isolate

SETTINGS: dict[str, Any] = {
    **{"env": "test/Faulty-v0", "encoder": "encoder", "n_step": 3, "num_envs": 2, "total_steps": 24, "capacity": 9},
    **{"learning_starts": 8, "checkpoint_every": 6, "eval_every": 12, "log_every": 6},
}


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_encoder: Callable[..., DiffSR]) -> Iterator[None]:
    """A folder with an encoder and data, and runs that go to the other device."""
    isolate(monkeypatch, tmp_path)
    make_encoder().save_pretrained("encoder")
    write("toy/random-v0", "test/Faulty-v0", episodes=6)
    monkeypatch.setattr("finetune.running.training.LOOK", 64)  # what is exported is measured on the CPU
    with other_device.used(monkeypatch):
        yield


def train(name: str, stops_at: int | None = None, **changes: Any) -> Training:
    folder = RunFolder(Path(name))
    where = {"resume" if folder.path.exists() else "run_dir": folder.path}
    config = settings(**{**SETTINGS, **changes, **where, "device": str(other_device.DEVICE)})
    training, state, _ = compose(config, folder, say=lambda _: None)
    training.evaluate = _stopping(training, stops_at)
    with folder.in_use(config):
        training.run(state)
        training.exported_agent().save_pretrained(folder.agent)
    return training


def _stopping(training: Training, step: int | None) -> Any:
    """Its evaluation, after which it is asked to stop once it has come to a step."""
    original = training.evaluate

    def evaluate(policy: Any) -> Any:
        training.stop.asked = training.step == step
        return original(policy)

    return evaluate


@pytest.mark.filterwarnings("ignore:.*which is a no-op")  # torch takes the other device for its own `meta`
@pytest.mark.parametrize(
    "changes",
    [
        {"mode": "finetuned", "average_policy": True},
        {"encoder": "none", "policy": "maximum_entropy"},
        {"offline_dataset": "toy/random", "warm_start": 5, "imitation_coef": 1.0},
        {"mode": "frozen", "offline_dataset": "toy/random", "offline_fraction": 1.0},
    ],
    ids=["finetuned", "scratch", "warm start", "frozen"],
)
def test_a_run_lives_on_its_device_and_leaves_an_agent_for_any(changes):
    whole = train("whole", **changes)
    with pytest.raises(Stopped):
        train("stopped", stops_at=12, **changes)
    train("stopped", **changes)
    for tensor in (*whole.learner.agent.state_dict().values(), *whole.replay.all().columns):
        assert tensor.device == other_device.DEVICE
    one, other = (Agent.from_pretrained(f"{name}/agent").state_dict() for name in ("whole", "stopped"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_tensor_that_was_forgotten_is_found():
    there = torch.zeros(3, device=other_device.DEVICE)
    with pytest.raises(RuntimeError, match="mixes devices"):
        there + torch.ones(3)
