import math

import pytest
import torch

from diffsr_hub import Transitions
from diffsr_hub.diagnostics.sampling import calibration, check_samples, half_mean_difference


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_samples_of_the_truth_are_calibrated():
    centre = normal(4000, 1, 1)
    scores = calibration(centre + normal(4000, 16, 1, seed=1), (centre + normal(4000, 1, 1, seed=2)).squeeze(1))
    assert float(scores["spread_over_rmse"]) == pytest.approx(1, abs=0.05)
    assert float(scores["spread"]) == pytest.approx(1, abs=0.02)
    assert float(scores["bias"]) == pytest.approx(0, abs=0.05)
    # The continuous ranked probability score of a standard normal forecast of itself.
    assert float(scores["crps"]) == pytest.approx(1 / math.sqrt(math.pi), abs=0.02)


def test_too_wide_samples_and_shifted_ones_are_found_out():
    sampled, target = 3 * normal(2000, 16, 1) + 2, normal(2000, 1, seed=1)
    scores = calibration(sampled, target)
    assert float(scores["bias"]) == pytest.approx(2, abs=0.1)
    assert float(calibration(sampled - 2, target)["spread_over_rmse"]) > 2
    assert float(scores["crps"]) > float(calibration(normal(2000, 16, 1), target)["crps"])


def test_exact_certain_samples_have_no_error():
    scores = calibration(torch.ones(3, 4, 2), torch.ones(3, 2))
    assert all(bool(values.isfinite().all()) for values in scores.values())
    assert scores["crps"].tolist() == [0, 0]


def test_half_mean_difference_by_hand():
    assert float(half_mean_difference(torch.tensor([4.0, 0.0, 1.0]))) == pytest.approx((4 + 3 + 1) / 3 / 2)
    assert half_mean_difference(torch.tensor([[1.0, 2.0]])).tolist() == [0, 0]


def test_every_transition_is_compared_with_its_own_samples(monkeypatch, make_encoder):
    model = make_encoder(obs_dim=2, action_dim=1)
    obs = normal(300, 2).float()
    data = Transitions(obs, torch.zeros(300, 1), torch.zeros(300), obs * torch.tensor([2.0, 1.0]), torch.zeros(300))
    monkeypatch.setattr(model, "sample_next_obs", lambda obs, action, generator: obs * torch.tensor([2.0, 1.0]))
    report = check_samples(model, data, samples=16, seed=0)
    assert report["dimensions"] == [0]  # the other one never moves
    assert report["rmse"] == pytest.approx([0], abs=1e-6)
    assert report["worst_marginal_mean_error"] == pytest.approx(0, abs=1e-6)
