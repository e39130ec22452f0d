"""An encoder says what it was made of, and by which command."""

import hashlib
import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from diffsr_hub.data import software
from diffsr_hub.runs.command import parse
from pretrain.config import PretrainConfig
from pretrain.provenance import command

ROOT = Path(__file__).parents[2]


def read(*flags: str) -> PretrainConfig:
    return parse(PretrainConfig, flags, prog="diffsr pretrain", description="")


def test_the_encoder_remembers_what_it_was_made_of(finished):
    made_of = json.loads((finished / "encoder/dataset.json").read_text())
    (data,) = made_of["datasets"]
    assert (data["id"], data["namespace"], data["version"], data["source"]) == ("test/linear-v0", "test", 0, "local")
    file = finished.parent / "datasets/test/linear-v0/data/main_data.hdf5"
    assert data["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert {"hub_revision", "env_spec", "algorithm_name", "author", "description"} <= data.keys()
    assert (data["total_episodes"], data["total_steps"]) == (20, 1000)
    assert made_of["software"].keys() == software().keys()
    assert {made_of["software"][name] for name in ("torch", "mujoco", "gymnasium", "diffsr-hub")}.isdisjoint({None})
    if (ROOT / ".git").exists():
        assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?", made_of["software"]["git_commit"])
    assert (made_of["action_low"], made_of["action_high"]) == ([-1, -1], [1, 1])
    assert made_of["training"]["transitions"] == 1000 and made_of["training"]["seconds"] > 0
    assert made_of["training"]["device"].startswith("1 x cpu, ")


@pytest.mark.parametrize(
    "flags", [[], ["--ema_decay", "0.9", "--reward_coef", "0.1"], ["--tiers", "linear", "--nu_hidden", "[4, 5]"]]
)
def test_the_recorded_command_repeats_the_run(machine, flags):
    config = replace(read("--dataset", "test/linear, test/b", *flags), run_dir=Path("x"), progress=False)
    program, verb, *recorded = shlex.split(command(config))
    assert (program, verb) == ("diffsr", "pretrain")
    assert read(*recorded) == replace(config, run_dir=None, progress=True)


def test_the_command_that_is_recorded_is_that_of_the_run(finished):
    made_of = json.loads((finished / "encoder/dataset.json").read_text())
    stored = read("--config", str(finished / "config.yaml"))
    assert made_of["training"]["command"] == command(stored)
