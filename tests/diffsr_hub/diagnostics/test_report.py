import json
import math
from pathlib import Path

import pytest
import torch

from diffsr_hub import DiffSR, UserError
from diffsr_hub.data import Episodes
from diffsr_hub.data.part import Part
from diffsr_hub.diagnostics import diagnose, random_encoder, residual_table
from diffsr_hub.diagnostics.heldout import draw_sample
from diffsr_hub.files.atomic import write_json

LENGTH, EPISODES, TRAIN, HELD_OUT = 40, 30, torch.arange(24), torch.arange(24, 30)
NOISE = torch.tensor([0.3, 0.1, 0.0])


@pytest.fixture(scope="module")
def episodes() -> Episodes:
    """A linear-Gaussian MDP: s' = 0.8 s + B a + noise; the third coordinate never changes. The reward is linear too."""
    generator = torch.Generator().manual_seed(0)
    action = torch.rand(EPISODES, LENGTH, 2, generator=generator) * 2 - 1
    obs = [torch.randn(EPISODES, 3, generator=generator) * torch.tensor([1.0, 1.0, 0.0])]
    for t in range(LENGTH):
        push = torch.cat([action[:, t], torch.zeros(EPISODES, 1)], dim=1)
        obs.append(0.8 * obs[-1] + push + NOISE * torch.randn(EPISODES, 3, generator=generator))
    frames = torch.stack(obs, dim=1)
    reward = frames[:, :-1, 0] + 2 * action[..., 1]
    ends = (torch.arange(LENGTH) == LENGTH - 1).expand(EPISODES, LENGTH)
    row = torch.arange(EPISODES)[:, None] * (LENGTH + 1) + torch.arange(LENGTH)
    parts = frames.flatten(0, 1), action.flatten(0, 1), reward.flatten(), ends.flatten(), row.flatten()
    return Episodes([Part(*parts, torch.full((EPISODES,), LENGTH))])


@pytest.fixture
def model(make_encoder, episodes) -> DiffSR:
    encoder = make_encoder(obs_dim=3, action_dim=2)
    encoder.set_statistics(*episodes.moments(TRAIN))
    return encoder


@pytest.fixture
def report(model, episodes) -> dict:
    return diagnose(model, episodes, TRAIN, HELD_OUT, discount=0.9)


def test_a_report_is_json_without_gaps(report, tmp_path):
    file = tmp_path / "diagnostics.json"
    write_json(file, report)  # refuses NaN and infinity
    assert json.loads(Path(file).read_text()) == report


def test_it_says_what_it_was_measured_on(report):
    assert report["transitions"] == {"train": 24 * LENGTH, "validation": 6 * LENGTH}
    assert report["episodes"] == {"train": 24, "validation": 6}
    assert (report["seed"], report["discount"]) == (0, 0.9)


def test_what_is_linear_in_raw_state_and_action_is_found_there(report):
    assert report["probes"]["reward"]["raw"] == pytest.approx(1, abs=1e-6)
    assert 0.8 < report["probes"]["next_obs"]["raw"] < 1
    assert 0.7 < report["probes"]["change"]["raw"] < 1


def test_linear_dynamics_are_near_their_floor_and_a_constant_at_one(report):
    per_level = report["loss"]["per_level"]
    assert all(one == pytest.approx(1) for one in per_level["constant"])
    assert all(
        linear < other for linear, other in zip(per_level["linear_dynamics"], per_level["constant"], strict=True)
    )
    assert report["loss"]["mean"]["linear_dynamics"] < report["loss"]["mean"]["without_state_action"]
    assert report["loss"]["mean"]["encoder"] == pytest.approx(sum(per_level["encoder"]) / len(per_level["encoder"]))


def test_a_spectrum_has_no_more_directions_than_the_data(report):
    raw = report["spectrum"]["raw"]
    assert raw["singular_values"][4] < 1e-6  # two moving coordinates and two actions
    assert 3 < raw["effective_rank"] <= 4.01


def test_samples_are_judged_where_the_state_moves(report):
    samples = report["samples"]
    assert samples["dimensions"] == [0, 1]
    assert {len(samples[name]) for name in ("bias", "rmse", "spread", "spread_over_rmse", "crps", "crps_marginal")} == {
        2
    }


def test_the_same_seed_gives_the_same_report_and_another_one_does_not(model, episodes, report):
    torch.manual_seed(99)
    assert diagnose(model, episodes, TRAIN, HELD_OUT, discount=0.9) == report
    assert diagnose(model, episodes, TRAIN, HELD_OUT, discount=0.9, seed=1)["loss"] != report["loss"]


def test_neither_the_model_nor_global_randomness_is_touched(model, episodes):
    model.train()
    state, randomness = {name: tensor.clone() for name, tensor in model.state_dict().items()}, torch.get_rng_state()
    diagnose(model, episodes, TRAIN, HELD_OUT)
    residual_table(model, episodes, TRAIN, seed=0)
    assert model.training
    assert torch.equal(torch.get_rng_state(), randomness)
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())


def test_fewer_transitions_can_be_asked_for(model, episodes):
    report = diagnose(model, episodes, TRAIN, HELD_OUT, max_transitions=50)
    assert report["transitions"] == {"train": 50, "validation": 50}


def test_one_short_episode_on_each_side_is_enough(model, episodes):
    report = diagnose(model, episodes, TRAIN[:1], HELD_OUT[:1], max_transitions=2)
    assert math.isfinite(report["probes"]["return_fourier"]["psi"])


def test_the_table_of_residuals_is_the_mean_of_the_models_own(model, episodes):
    batch = draw_sample(episodes, TRAIN[:2], limit=8_192, discount=0.0, seed=3).batch
    generator, direct = torch.Generator().manual_seed(3), []
    for k in range(5):
        noise = torch.randn(batch.obs.shape, generator=generator)
        residual = model.denoising_residual(batch, torch.full(batch.reward.shape, k), noise)
        direct.append(residual.detach().square().mean(0))
    torch.testing.assert_close(residual_table(model, episodes, TRAIN[:2], seed=3), torch.stack(direct))


def test_a_random_encoder_shares_all_but_the_weights(model):
    fresh = random_encoder(model, seed=0)
    assert fresh.arguments == model.arguments
    assert torch.equal(fresh.obs_std, model.obs_std)
    weights = [random_encoder(model, seed=seed).psi_network.linear.weight for seed in (0, 0, 1)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_missing_episodes_are_an_error(model, episodes):
    with pytest.raises(UserError, match="held-out"):
        diagnose(model, episodes, TRAIN, HELD_OUT[:0])


@pytest.mark.parametrize(("part", "name"), [("psi_network", "ψ"), ("score_network", "the loss")])
def test_a_diverged_encoder_is_an_error(model, episodes, part, name):
    next(model.get_submodule(part).parameters()).data.fill_(math.nan)
    with pytest.raises(UserError, match=f"{name} is not finite"):
        diagnose(model, episodes, TRAIN, HELD_OUT)
