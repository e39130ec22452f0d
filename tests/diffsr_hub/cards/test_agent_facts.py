"""The card of an agent: its numbers are those of the files beside it, and strangers' text stays plain."""

import re

import pytest

from diffsr_hub import UserError, cli
from diffsr_hub.cards.card import write_card
from diffsr_hub.files.atomic import write_json
from tests.hub.cards import HOSTILE, card, metadata, row
from tests.hub.samples import EVALUATION, ONLINE, RESULTS

pytest_plugins = ["tests.hub.fixtures"]


def test_the_hub_reads_the_return_of_an_agent(agent_folder):
    found = metadata(card(agent_folder))
    (index,) = found["model-index"]
    (result,) = index["results"]
    assert result["task"] == {"type": "reinforcement-learning", "name": "Hopper-v5"}
    assert result["dataset"] == {"name": "Hopper-v5", "type": "Hopper-v5"}
    assert result["metrics"] == [{"type": "mean_reward", "name": "mean_reward", "value": "1234.56 +/- 78.90"}]
    assert found["pipeline_tag"] == "reinforcement-learning"
    assert found["base_model"] == "org/diffsr-hopper"
    assert found["datasets"] == ["farama-minari/mujoco"]
    assert {"Hopper-v5", "deep-reinforcement-learning", "diffsr"} <= set(found["tags"])


def test_an_agents_numbers_are_those_of_the_files(agent_folder):
    text = card(agent_folder)
    assert row(text, "return") == ["1,100.0", "1,234.6", "1,369.1"]
    assert row(text, "steps") == ["300", "321.0", "342"]
    for fact in ("**1,234.6 ± 78.9**", "2,000 environment steps", "c0ffee", "e" * 64, ONLINE["command"], "seed 7"):
        assert fact in text
    assert "success" not in text and not re.search(r"\bNone\b|\{\{|\{%", text)
    write_json(agent_folder / "evaluation.json", {"evaluations": [EVALUATION | {"success_rate": 0.5}]})
    assert row(card(agent_folder), "success") == ["", "0.50", ""]


def test_the_command_rebuilds_an_agents_card(agent_folder, capsys):
    cli.main(["card", str(agent_folder), "--repository", "org/agent"])
    text = (agent_folder / "README.md").read_text(encoding="utf-8")
    assert 'Agent.from_pretrained("org/agent")' in text
    assert capsys.readouterr().out == f"{agent_folder / 'README.md'}\n"


def test_an_encoder_of_a_folder_is_no_base_model(agent_folder):
    for encoder in ({"source": "runs/hopper/encoder", "revision": None, "sha256": "e" * 64}, None):
        write_json(agent_folder / "training.json", ONLINE | {"encoder": encoder, "datasets": []})
        assert metadata(card(agent_folder)).keys().isdisjoint({"base_model", "datasets"})


def test_a_return_of_zero_is_a_return(agent_folder):
    write_json(agent_folder / "results.json", RESULTS | {"mean_reward": 0.0, "std_reward": 0})
    assert "value: 0.00 +/- 0.00" in card(agent_folder)


def test_an_agent_without_a_film_has_none_on_its_card(agent_folder):
    assert "replay.mp4" in card(agent_folder)
    (agent_folder / "replay.mp4").unlink()
    assert "replay.mp4" not in card(agent_folder)


@pytest.mark.parametrize("name", ["training.json", "evaluation.json", "results.json", "learning_curve.png"])
def test_a_missing_file_of_an_agent_is_named(agent_folder, name):
    (agent_folder / name).unlink()
    with pytest.raises(UserError, match=re.escape(name)):
        write_card(agent_folder)


@pytest.mark.parametrize("place", ["command", "device", "mode", "encoder"])
def test_text_from_strangers_stays_one_plain_line_on_an_agents_card(agent_folder, place):
    expected = card(agent_folder)
    hostile = {"source": HOSTILE, "revision": HOSTILE, "sha256": HOSTILE} if place == "encoder" else HOSTILE
    write_json(agent_folder / "training.json", ONLINE | {place: hostile})
    text = card(agent_folder)
    assert metadata(text) | {"base_model": None} == metadata(expected) | {"base_model": None}
    assert text.count("\n```") == expected.count("\n```")
    assert not {"\x1b", "\u202e"} & set(text)
    assert not re.search(r"^---$", text.split("\n---\n", 1)[1], re.MULTILINE)


def test_hostile_evaluations_are_refused(agent_folder):
    for evaluations in ([], [{}], {"a": 1}, [[]], [EVALUATION | {"returns": ["x", 1]}]):
        write_json(agent_folder / "evaluation.json", {"evaluations": evaluations})
        with pytest.raises(UserError) as caught:
            write_card(agent_folder)
        assert "\n" not in str(caught.value)
