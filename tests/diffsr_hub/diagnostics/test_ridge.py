import pytest
import torch
from torch import Tensor

from diffsr_hub.diagnostics.ridge import Standard, fit_ridge, fourier_probe, r2, ridge_probe


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_targets_linear_in_the_features_are_predicted_whatever_their_scales():
    x, held_out = normal(500, 4) * torch.tensor([1e-3, 1.0, 50.0, 1.0]) + 7, normal(200, 4, seed=1)
    weight = normal(4, 2, seed=2) * torch.tensor([1.0, 1e3])
    assert ridge_probe((x, x @ weight + 5), (held_out, held_out @ weight + 5)) == pytest.approx(1, abs=1e-5)


def test_noise_is_not_predicted():
    noise = normal(2000, 1, seed=3), normal(1000, 1, seed=4)
    assert abs(ridge_probe((normal(2000, 8), noise[0]), (normal(1000, 8, seed=1), noise[1]))) < 0.02


def test_the_weights_are_those_of_ridge_regression():
    x, y = normal(100, 3), normal(100, 1, seed=1)
    fit = fit_ridge((x, y))
    a, b = Standard(x)(x), Standard(y)(y)
    candidates = [torch.linalg.solve(a.T @ a / 100 + 10.0**k * torch.eye(3), a.T @ b / 100) for k in range(-8, 3)]
    assert min(float((fit.weight - weight).abs().max()) for weight in candidates) < 1e-6


def test_many_useless_features_are_penalised():
    # Least squares would score about −3 here.
    x, y = normal(200, 150), normal(200, 1, seed=1)
    assert ridge_probe((x, y), (normal(500, 150, seed=2), normal(500, 1, seed=3))) > -0.2


def test_features_that_repeat_or_do_not_vary_do_no_harm():
    x = normal(300, 2)
    x = torch.cat([x, x, torch.full((300, 1), 3.0)], dim=1)
    y = x[:, :1] - x[:, 1:2]
    assert ridge_probe((x[:200], y[:200]), (x[200:], y[200:])) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_handful_of_rows_gives_a_finite_score(rows):
    x, y = normal(rows, 3), normal(rows, 1, seed=1)
    assert torch.tensor(ridge_probe((x, y), (x, y))).isfinite()


def test_fourier_features_see_what_a_line_cannot():
    x, held_out = normal(3000, 2), normal(1000, 2, seed=1)
    pairs = (x, x.square().sum(1, keepdim=True)), (held_out, held_out.square().sum(1, keepdim=True))
    assert ridge_probe(*pairs) < 0.1
    assert fourier_probe(*pairs, num_frequencies=64, seed=0) > 0.95


def test_r2_by_hand_and_with_all_dimensions_together():
    target = torch.tensor([[0.0, 0.0], [2.0, 4.0]])
    assert r2(target, target) == 1
    assert r2(target, target.mean(0).expand(2, 2)) == 0
    assert r2(target, torch.tensor([[0.0, 0.0], [2.0, 2.0]])) == pytest.approx(1 - 4 / 10)


def test_a_constant_target_scores_as_in_scikit_learn():
    constant = torch.full((5, 1), 2.0)
    assert r2(constant, constant) == 1
    assert r2(constant, constant + 1) == 0
