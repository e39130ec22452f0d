"""The agent folder that a run leaves: whole, loadable, and about this very run."""

import hashlib
import json
import shlex
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diffsr_hub import DiffSR, UserError, from_pretrained
from diffsr_hub.cards.card import write_card
from diffsr_hub.hub.publishable import publishable
from diffsr_hub.runs.command import parse
from diffsr_hub.saved.kinds import AGENT
from finetune import Agent, train
from finetune.config import FinetuneConfig
from finetune.running.export import results
from finetune.running.provenance import command

TINY = FinetuneConfig(
    env="InvertedPendulum-v5",
    total_steps=30,
    learning_starts=20,
    eval_every=15,
    eval_episodes=2,
    checkpoint_every=1_000,
    batch_size=8,
    actor_hidden=(8,),
    critic_frequencies=4,
    video_steps=0,
    progress=False,
)


@pytest.fixture
def encoder(make_encoder: Callable[..., DiffSR], tmp_path: Path) -> Path:
    make_encoder(4, 1).save_pretrained(tmp_path / "encoder")
    return tmp_path / "encoder"


@pytest.fixture
def run(encoder: Path, tmp_path: Path) -> Path:
    train.run(replace(TINY, encoder=str(encoder), mode="frozen", run_dir=tmp_path / "run"))
    return tmp_path / "run"


def read(file: Path) -> Any:
    return json.loads(file.read_text())


def test_a_run_leaves_a_folder_that_only_lacks_the_name_of_its_repository(run: Path) -> None:
    assert {file.name for file in (run / "agent").iterdir()} == AGENT.required
    with pytest.raises(UserError, match=r"`diffsr card .* --repository org/agent` writes it anew"):
        publishable(run / "agent", "org/agent")
    write_card(run / "agent", "org/agent")
    assert {file.name for file in publishable(run / "agent", "org/agent")} == AGENT.required


def test_its_numbers_are_those_of_the_last_evaluation(run: Path) -> None:
    last = read(run / "evaluation.json")["evaluations"][-1]
    assert (run / "agent/evaluation.json").read_bytes() == (run / "evaluation.json").read_bytes()
    found = read(run / "agent/results.json")
    assert found == results(last) | {"eval_datetime": found["eval_datetime"]}
    assert (found["mean_reward"], found["std_reward"]) == (np.mean(last["returns"]), np.std(last["returns"]))
    assert (found["n_eval_episodes"], found["is_deterministic"]) == (2, True)


def test_it_remembers_what_it_was_made_of(run: Path, encoder: Path) -> None:
    made_of = read(run / "agent/training.json")
    sha256 = hashlib.sha256((encoder / "model.safetensors").read_bytes()).hexdigest()
    assert made_of["encoder"] == {"source": str(encoder), "revision": None, "sha256": sha256}
    assert (made_of["steps"], made_of["mode"], made_of["datasets"]) == (30, "frozen", [])
    assert made_of["settings"]["batch_size"] == 8 and made_of["seconds"] >= 0


def test_the_command_repeats_the_run(run: Path) -> None:
    words = shlex.split(read(run / "agent/training.json")["command"])
    again = parse(FinetuneConfig, words[2:], prog="", description="")
    stored = parse(FinetuneConfig, ["--config", str(run / "config.yaml")], prog="", description="")
    assert replace(stored, run_dir=None, progress=True) == again


def test_a_run_from_scratch_says_so(tmp_path: Path) -> None:
    agent = train.run(replace(TINY, run_dir=tmp_path / "run"))
    assert read(agent / "training.json")["encoder"] is None
    assert "ψ was learned from scratch" in (agent / "README.md").read_text(encoding="utf-8")
    assert command(TINY).startswith("diffsr finetune --encoder=none --env=InvertedPendulum-v5 ")


def test_a_resumed_run_names_the_encoder_that_it_began_with(
    run: Path, encoder: Path, make_encoder: Callable[..., DiffSR]
) -> None:
    before = read(run / "agent/training.json")["encoder"]
    make_encoder(4, 1, seed=5).save_pretrained(encoder)
    stored = parse(FinetuneConfig, ["--config", str(run / "config.yaml")], prog="", description="")
    train.run(replace(stored, run_dir=None, resume=run, total_steps=40))
    assert read(run / "agent/training.json")["encoder"] == before
    assert from_pretrained(run / "agent").predict(np.zeros(4))[0].shape == (1,)


def test_a_run_that_died_before_its_first_checkpoint_names_the_encoder_that_it_starts_with_now(
    run: Path, encoder: Path, make_encoder: Callable[..., DiffSR]
) -> None:
    before = read(run / "agent/training.json")["encoder"]
    shutil.rmtree(run / "checkpoint")
    make_encoder(4, 1, seed=5).save_pretrained(encoder)
    stored = parse(FinetuneConfig, ["--config", str(run / "config.yaml")], prog="", description="")
    train.run(replace(stored, run_dir=None, resume=run))
    after = read(run / "agent/training.json")["encoder"]
    assert (
        after["sha256"] == hashlib.sha256((encoder / "model.safetensors").read_bytes()).hexdigest() != before["sha256"]
    )


def test_a_film_that_cannot_be_made_costs_a_line_and_not_the_agent(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: Any) -> None:
        raise UserError("no video: no screen")

    monkeypatch.setattr(train, "record", fails)
    agent = train.run(replace(TINY, video_steps=3, run_dir=tmp_path / "run"))
    assert "no video: no screen\n" in capsys.readouterr().out
    assert {file.name for file in agent.iterdir()} == AGENT.required
    assert isinstance(Agent.from_pretrained(agent), Agent)


def test_a_film_is_in_the_folder_and_on_the_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "record", lambda agent, env, file, steps, seed: file.write_bytes(b"film"))
    agent = train.run(replace(TINY, video_steps=3, run_dir=tmp_path / "run"))
    assert (agent / "replay.mp4").read_bytes() == (tmp_path / "run/replay.mp4").read_bytes() == b"film"
    assert "[replay.mp4](replay.mp4)" in (agent / "README.md").read_text(encoding="utf-8")
