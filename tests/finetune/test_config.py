"""Laws of the settings: what no run can have is refused in one line, and a run has a name for what it is."""

from pathlib import Path

import pytest

from diffsr_hub.errors import UserError
from diffsr_hub.runs.command import dump, parse
from finetune.config import FinetuneConfig

COUNTS = [
    *("batch_size", "n_step", "critic_frequencies", "policy_delay", "total_steps", "num_envs", "updates_per_step"),
    *("capacity", "eval_every", "eval_episodes", "checkpoint_every", "log_every", "threads", "learning_starts"),
]
NOT_NEGATIVE = ["seed", "offline_steps", "warm_start", "exploration_noise", "imitation_coef", "video_steps"]


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("value", [0, -1])
def test_zero_and_negative_sizes_are_refused(name, value):
    with pytest.raises(UserError, match=f"^{name} must be at least 1, got {value}$"):
        FinetuneConfig(**{name: value})


@pytest.mark.parametrize("name", NOT_NEGATIVE)
def test_negative_numbers_are_refused(name):
    with pytest.raises(UserError, match=f"^{name} must not be negative, got -1$"):
        FinetuneConfig(**{name: -1})


@pytest.mark.parametrize("name", ["learning_rate", "representation_rate", "bandwidth"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_rates_are_positive(name, value):
    with pytest.raises(UserError, match=f"^{name} must be positive"):
        FinetuneConfig(**{name: value})


@pytest.mark.parametrize("name", ["discount", "tau", "offline_fraction"])
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_shares_are_shares(name, value):
    with pytest.raises(UserError, match=rf"^{name} must be in \[0, 1\]"):
        FinetuneConfig(**{name: value})


@pytest.mark.parametrize("widths", [(), (0,), (8, -1)])
def test_layers_have_widths(widths):
    with pytest.raises(UserError, match="actor_hidden"):
        FinetuneConfig(actor_hidden=widths)


@pytest.mark.parametrize("mode", ["frozen", "random"])
def test_from_scratch_nothing_can_be_frozen(mode):
    with pytest.raises(UserError, match=f"mode={mode} needs a pretrained --encoder"):
        FinetuneConfig(encoder="none", mode=mode)


def test_a_revision_needs_an_encoder() -> None:
    with pytest.raises(UserError, match="encoder_revision=v1 needs the --encoder that it is a version of"):
        FinetuneConfig(encoder_revision="v1")


@pytest.mark.parametrize("dataset", ["", " , "])
def test_a_warm_start_and_examples_need_data(dataset):
    with pytest.raises(UserError, match="warm_start needs an --offline_dataset"):
        FinetuneConfig(warm_start=5, offline_dataset=dataset)
    with pytest.raises(UserError, match="imitate=successes needs an --offline_dataset"):
        FinetuneConfig(imitate="successes", offline_dataset=dataset)


@pytest.mark.parametrize(
    ("settings", "label"),
    [
        ({}, "scratch"),
        ({"encoder": "a/b", "mode": "frozen"}, "frozen"),
        ({"encoder": "a/b", "mode": "random"}, "random"),
        ({"encoder": "a/b", "offline_dataset": "c/d"}, "finetuned-offline"),
        ({"offline_dataset": "c/d", "warm_start": 1}, "scratch-offline-warm"),
        ({"arm": "mine"}, "mine"),
    ],
)
def test_a_run_is_named_after_what_it_is(settings, label):
    assert FinetuneConfig(**settings).label == label


@pytest.mark.parametrize(
    "env", ["Hopper-v5", "gymnasium.envs:Hopper-v5", "some/Hopper-v5", "a.b:some/Hopper-v5", "Hopper"]
)
def test_a_run_folder_is_named_after_the_registered_environment(env):
    assert FinetuneConfig(env=env).run_name == "Hopper-v5-scratch-0"


def test_what_is_written_is_read_back_the_same(tmp_path: Path):
    config = FinetuneConfig(
        actor_hidden=(3, 4), run_dir=Path("a b"), offline_dataset="a/b,c/d", tau=0.1, seed=2**32 - 1
    )
    dump(config, tmp_path / "config.yaml")
    read = parse(FinetuneConfig, ["--config", str(tmp_path / "config.yaml")], prog="x", description="")
    assert read == config and read.datasets == ("a/b", "c/d")
