"""Meta-World from nothing to an agent, by the commands of docs/metaworld.md, on as little of everything as there is."""

import json
from pathlib import Path

import pytest

from diffsr_hub import DiffSR, cli
from diffsr_hub.suites.meta_world.names import GROUPS
from tests.machine import isolate

TINY = [
    *("--psi_hidden", "[16]", "--nu_hidden", "[16]", "--feature_dim", "8", "--num_levels", "5"),
    *("--num_frequencies", "8", "--batch_size", "40", "--max_steps", "50", "--checkpoint_every", "50"),
    *("--warmup_steps", "5", "--progress", "false", "--accelerator", "cpu"),
]
SHORT = [
    *("--total_steps", "300", "--learning_starts", "100", "--eval_every", "300", "--eval_episodes", "1"),
    *("--batch_size", "16", "--actor_hidden", "[16]", "--critic_frequencies", "8", "--video_steps", "0"),
    *("--progress", "false"),
]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two episodes of every task of ml10-train, and an encoder pretrained on them."""
    folder = tmp_path_factory.mktemp("machine")
    with pytest.MonkeyPatch.context() as patch:
        isolate(patch, folder)
        cli.main(["collect", "metaworld/ml10-train", "--steps", "1000", "--processes", "1"])
        cli.main(["pretrain", "--dataset", "metaworld/ml10-train", "--run_dir", "ml10", *TINY])
    return folder


@pytest.fixture(autouse=True)
def here(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    isolate(monkeypatch, machine)


def test_one_encoder_learns_from_all_of_them(machine: Path) -> None:
    made_of = json.loads((machine / "ml10/encoder/dataset.json").read_text())
    assert [entry["namespace"] for entry in made_of["datasets"]] == list(GROUPS["metaworld/ml10-train"])
    assert made_of["source"] == "bundled" and made_of["env_id"] is None
    assert made_of["training"]["transitions"] == 10_000
    assert "of 10 environments of metaworld" in (machine / "ml10/encoder/README.md").read_text()
    model = DiffSR.from_pretrained(machine / "ml10/encoder")
    assert (model.arguments["obs_dim"], model.arguments["action_dim"]) == (39, 4)
    assert model.obs_std[11:18].tolist() == [1.0] * 7  # none of the ten has a second object


def test_a_resumed_pretraining_sees_the_same_batches(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = ["pretrain", "--dataset", "metaworld/ml10-train", *TINY, "--max_steps", "100"]
    cli.main([*run, "--run_dir", "whole"])
    from pretrain.module import DiffSRModule

    original = DiffSRModule.training_step

    def interrupted(self: DiffSRModule, batch: object, number: int) -> object:
        if self.global_step == 73:
            raise KeyboardInterrupt
        return original(self, batch, number)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(DiffSRModule, "training_step", interrupted)
        with pytest.raises(SystemExit):
            cli.main([*run, "--run_dir", "halved"])
    cli.main(["pretrain", "--resume", "halved"])
    one, other = ((machine / name / "encoder/model.safetensors").read_bytes() for name in ("whole", "halved"))
    assert one == other


def test_an_agent_learns_a_task_that_the_encoder_never_saw(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = "metaworld/drawer-open-v3"
    cli.main(["finetune", "--encoder", "ml10/encoder", "--env", task, "--run_dir", "agent", *SHORT])
    record = json.loads((machine / "agent/evaluation.json").read_text())
    assert [row["step"] for row in record["evaluations"]] == [0, 300]
    assert all(row["success_rate"] in (0.0, 1.0) and row["lengths"] == [500] for row in record["evaluations"])
    assert "success_rate" in (machine / "agent/learning_curve.csv").read_text().splitlines()[0]
    success = f"success rate: {record['evaluations'][-1]['success_rate']:.0%}\n"
    assert success in capsys.readouterr().out
    cli.main(["evaluate", "agent/agent", "--episodes", "1", "--file", "evaluated.json"])
    assert "success rate" in capsys.readouterr().out
    assert json.loads((machine / "evaluated.json").read_text())["env"] == task
