"""Laws of an encoder's arguments: spelled once, checked before anything is made, and the same in JSON and in Python."""

import json
from dataclasses import fields
from typing import get_args

import pytest

from diffsr_hub import DiffSR, UserError
from diffsr_hub.model.encoder import PSI_NETWORKS, SCORE_NETWORKS
from diffsr_hub.model.encoder_config import Architecture, EncoderConfig, PsiName, ScoreName
from pretrain.config import PretrainConfig
from pretrain.run_folder import _FIXED

SMALL = {"obs_dim": 3, "action_dim": 2, "psi_hidden": [4], "nu_hidden": [5], "num_levels": 2}


def test_json_and_back_is_the_same():
    config = EncoderConfig.from_json(SMALL)
    assert EncoderConfig.from_json(json.loads(json.dumps(config.as_json()))) == config
    assert config.psi_hidden == (4,) and config.as_json()["psi_hidden"] == [4]


def test_a_model_knows_its_arguments_and_is_made_of_them():
    model = DiffSR(**SMALL)
    assert model.config == EncoderConfig.from_json(SMALL)
    assert list(model.arguments) == [
        field.name for field in fields(EncoderConfig) if field.name not in ("obs_parts", "obs_shape", "view")
    ]
    assert DiffSR(**model.arguments).config == model.config


def test_parts_of_observations_are_kept_where_there_are_some():
    parts = {"angle": 1, "velocity": 2}
    model = DiffSR(**SMALL, obs_parts=parts)
    assert model.arguments["obs_parts"] == parts
    assert EncoderConfig.from_json(json.loads(json.dumps(model.arguments))) == model.config != DiffSR(**SMALL).config
    for wrong in ({"a": 1}, {"a": 4, "b": -1}, {"a": 1.5, "b": 1.5}, {"a": True, "b": 2}, {"a": "3"}, {1: 3}, [3], 3):
        with pytest.raises(UserError, match="obs_parts must be"):
            DiffSR(**SMALL, obs_parts=wrong)


@pytest.mark.parametrize(
    ("content", "named"),
    [({"obs_dim": 3}, "action_dim"), ({**SMALL, "width": 3}, "width"), ({**SMALL, "num_levels": 0}, "num_levels")],
)
def test_other_arguments_are_refused_in_one_line(content, named):
    with pytest.raises(UserError, match=named) as refusal:
        EncoderConfig.from_json(content)
    assert "\n" not in str(refusal.value)


def test_every_choice_has_its_network():
    assert tuple(PSI_NETWORKS) == get_args(PsiName) and tuple(SCORE_NETWORKS) == get_args(ScoreName)


def test_pretraining_takes_every_part_of_the_architecture_and_resumes_with_none_changed():
    names = {field.name for field in fields(Architecture)}
    assert names <= {field.name for field in fields(PretrainConfig)} and names <= set(_FIXED)
    config = PretrainConfig(feature_dim=7, psi_hidden=(3, 3), score="matrix")
    model = DiffSR(3, 2, **config.architecture)
    assert model.config.architecture == config.architecture
