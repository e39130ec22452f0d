"""Agents on the Hub: published, loaded, described and listed as encoders are, and refused where they mean harm."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub import snapshot_download

from diffsr_hub import UserError, cli, from_pretrained
from diffsr_hub.cards.card import write_card
from diffsr_hub.files.atomic import write_json
from diffsr_hub.hub.inspect import describe, list_models
from diffsr_hub.hub.publish import publish
from finetune import Agent
from tests.hub.samples import AGENT_NAME, CLIENTS_OWN_WARNING, NAME, TRANSFER
from tests.hub.server import Hub
from tests.refusal import refusal

pytest_plugins = ["tests.hub.fixtures"]
pytestmark = pytest.mark.filterwarnings(CLIENTS_OWN_WARNING)
OBS = np.linspace(-1, 1, 12).reshape(4, 3)


# --- published, and back ---------------------------------------------------------------------------------------------


def test_what_is_published_is_the_folder_byte_for_byte_and_acts_the_same(hub: Hub, agent_folder: Path) -> None:
    done = publish(agent_folder, AGENT_NAME)
    found = Path(snapshot_download(AGENT_NAME, revision=done.commit, ignore_patterns=[".gitattributes"]))
    assert {f.name: f.read_bytes() for f in found.iterdir()} == {f.name: f.read_bytes() for f in agent_folder.iterdir()}
    here, _ = Agent.from_pretrained(agent_folder).predict(OBS, deterministic=True)
    for load in (Agent.from_pretrained, from_pretrained):
        there = load(AGENT_NAME, revision=done.commit)
        assert type(there) is Agent
        assert (there.predict(OBS, deterministic=True)[0] == here).all()


def test_the_command_prints_the_line_that_loads_an_agent(
    hub: Hub, agent_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["publish", str(agent_folder), AGENT_NAME])
    commit = hub.store.resolve("models", AGENT_NAME, "main")
    assert f'\nAgent.from_pretrained("{AGENT_NAME}", revision="{commit}")\n' in capsys.readouterr().out


def test_an_agent_without_a_film_may_be_published(hub: Hub, agent_folder: Path) -> None:
    (agent_folder / "replay.mp4").unlink()
    cli.main(["card", str(agent_folder), "--repository", AGENT_NAME])
    publish(agent_folder, AGENT_NAME)


def test_an_encoder_with_its_study_may_be_published(hub: Hub, folder: Path) -> None:
    write_json(folder / "transfer.json", TRANSFER)
    write_card(folder, NAME)
    publish(folder, NAME)
    assert "transfer.json" in hub.store.files("models", NAME, "main")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("replay.mp4", b"<script>alert(1)</script>", "replay.mp4 is not a film"),
        ("learning_curve.png", b"GIF89a", "learning_curve.png is not a picture"),
        ("diagnostics.json", b"{}", "holds 'diagnostics.json', which would be published"),
        ("results.json", None, "lacks results.json"),
        ("replay.mp4", None, "README.md is not what its files say"),
    ],
)
def test_a_folder_that_is_not_ready(
    hub: Hub, agent_folder: Path, name: str, content: bytes | None, message: str
) -> None:
    (agent_folder / name).unlink(missing_ok=True)
    if content is not None:
        (agent_folder / name).write_bytes(content)
    assert message in refusal(lambda: publish(agent_folder, AGENT_NAME))
    assert hub.requests == []


def test_an_agent_is_not_published_over_an_encoder(hub: Hub, folder: Path, agent_folder: Path) -> None:
    publish(folder, NAME)
    write_card(agent_folder, NAME)
    assert "a DiffSR, not a Agent" in refusal(lambda: publish(agent_folder, NAME))
    assert "describes 'DiffSR', not a Agent" in refusal(lambda: Agent.from_pretrained(NAME))


# --- described -------------------------------------------------------------------------------------------------------


def test_it_is_described_without_its_weights(hub: Hub, agent_folder: Path) -> None:
    publish(agent_folder, AGENT_NAME)
    hub.requests.clear()
    found = describe(AGENT_NAME)
    assert hub.asked(r"/lfs/|safetensors|README|png|mp4") == []
    expected = {
        "model": "Agent",
        "environment": "Hopper-v5",
        "sizes": "obs_dim 3, action_dim 2, feature_dim 6",
        "encoder": "org/diffsr-hopper",
        "mean return": "1235",
        "episodes": "2",
        "steps": "2000",
        "data": "mujoco/hopper/medium-v0",
        "command": "diffsr finetune --encoder=org/diffsr-hopper --env=Hopper-v5",
    }
    assert expected.items() <= found.items()
    local = describe(str(agent_folder))
    assert {name: local[name] for name in local if name not in ("folder", "files")}.items() <= found.items()


def test_it_is_listed_as_an_agent(hub: Hub, agent_folder: Path) -> None:
    publish(agent_folder, AGENT_NAME)
    assert [(model.name, model.about) for model in list_models()] == [(AGENT_NAME, "agent, Hopper-v5")]


# --- hostile ---------------------------------------------------------------------------------------------------------

HUGE = 10**400
HOSTILE: list[dict[str, Any]] = [
    {"encoder": None},
    {"encoder": []},
    {"encoder": "DiffSR"},
    {"encoder": {}},
    {"encoder": {"obs_dim": 3, "action_dim": 2, "x\x1b[2J\n": 1}},
    {"encoder": {"obs_dim": 3, "action_dim": 2, "self": 1}},
    {"encoder": {"obs_dim": 10**12, "action_dim": 2}},
    {"encoder": {"obs_dim": 65_536, "action_dim": 65_536}},
    {"encoder": {"obs_dim": 3, "action_dim": 2, "psi_hidden": [65_536] * 64, "nu_hidden": [65_536] * 64}},
    {"encoder": {"obs_dim": 3, "action_dim": 2, "encoder": {"encoder": {}}}},
    {"action_low": [float("nan"), -1]},
    {"action_low": [-float("inf"), -1], "action_high": [1, float("inf")]},
    {"action_low": ["a", "b"], "action_high": ["c", "d"]},
    {"action_low": "ab", "action_high": "cd"},
    {"action_low": [-HUGE, -1]},
    {"action_low": [False, False], "action_high": [True, True]},
    {"action_low": {"0": -1, "1": -1}},
    {"action_low": None},
    {"action_low": [-1] * 100_000},
    {"action_low": [[-1], [-1]]},
    {"action_low": [2, 2]},
    {"env_id": 5},
    {"env_id": ["Hopper-v5"]},
    {"policy": "os:system"},
    {"policy": ["deterministic"]},
    {"policy": "x\x1b[2J" * 1_000},
    {"actor_hidden": []},
    {"actor_hidden": [65_536] * 65},
    {"actor_hidden": [-1]},
    {"actor_hidden": "256"},
    {"critic_frequencies": 0},
    {"critic_frequencies": HUGE},
    {"critic_frequencies": 2.5},
    {"critic_frequencies": True},
    {"bandwidth": "wide"},
    {"bandwidth": float("nan")},
    {"exploration_noise": -1},
    {"exploration_noise": None},
    {"discount": 0.99},
    {"forward": "print"},
]


@pytest.mark.parametrize("changes", HOSTILE, ids=lambda changes: str(changes)[:40].encode("unicode_escape").decode())
def test_a_configuration_that_is_a_trap(agent_folder: Path, changes: dict[str, Any]) -> None:
    config = json.loads((agent_folder / "config.json").read_text())
    (agent_folder / "config.json").write_text(json.dumps(config | changes))
    refusal(lambda: Agent.from_pretrained(agent_folder))
    try:
        described = describe(str(agent_folder))
    except UserError as error:
        assert "\n" not in str(error) and "\x1b" not in str(error)
    else:
        assert all(value.isprintable() for value in described.values())
