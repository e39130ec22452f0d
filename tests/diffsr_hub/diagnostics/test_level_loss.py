import pytest
import torch

from diffsr_hub import Transitions
from diffsr_hub.diagnostics.level_loss import GaussianModel, linear_gaussian, marginal_gaussian, mean_squared_residual

BETA = torch.tensor([0.01, 0.3, 0.9])


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def batch(rows: int) -> Transitions:
    return Transitions(
        normal(rows, 3), normal(rows, 1, seed=1), normal(rows), normal(rows, 3, seed=2), torch.zeros(rows)
    )


def test_a_gaussian_model_reaches_its_floor():
    variance = torch.tensor([0.2, 1.0])
    expected = (1 - BETA[:, None]) * variance / ((1 - BETA[:, None]) * variance + BETA[:, None])
    torch.testing.assert_close(GaussianModel(variance, variance).loss(BETA).float(), expected)


def test_the_expected_loss_of_a_gaussian_model_is_what_sampling_gives():
    # Fitted with variance 0.2, but held-out errors have 0.5.
    error, noise, beta = normal(200_000) * 0.5**0.5, normal(200_000, seed=1), 0.3
    noisy = (1 - beta) ** 0.5 * error + beta**0.5 * noise
    guess = beta**0.5 * noisy / ((1 - beta) * 0.2 + beta)
    expected = GaussianModel(torch.tensor([0.2]), torch.tensor([0.5])).loss(torch.tensor([beta]))
    assert float((guess - noise).square().mean()) == pytest.approx(float(expected), rel=0.01)


def test_linear_dynamics_are_found_with_their_noise():
    inputs, noise = normal(4000, 3), normal(4000, 2, seed=1) * torch.tensor([0.1, 0.5])
    states = inputs @ normal(3, 2, seed=2) + 4 + noise
    model = linear_gaussian((inputs[:3000], states[:3000]), (inputs[3000:], states[3000:]))
    torch.testing.assert_close(model.variance, torch.tensor([0.01, 0.25], dtype=torch.float64), rtol=0.1, atol=0)
    torch.testing.assert_close(model.error, model.variance, rtol=0.15, atol=0)


def test_inputs_that_do_not_vary_or_repeat_do_no_harm_to_linear_dynamics():
    inputs = torch.cat([normal(50, 1), normal(50, 1), torch.ones(50, 1)], dim=1)
    model = linear_gaussian((inputs, inputs[:, :1] * 2), (inputs, inputs[:, :1] * 2))
    assert float(model.error) < 1e-9


def test_the_marginal_model_knows_mean_and_variance_only():
    model = marginal_gaussian(torch.tensor([[1.0], [3.0]]), torch.tensor([[2.0], [4.0]]))
    assert (float(model.variance), float(model.error)) == (1.0, 2.0)


@pytest.mark.parametrize("score", ["gradient", "matrix"])
def test_a_table_of_residuals_is_the_models_own_residual_squared(make_encoder, score):
    model, data = make_encoder(action_dim=1, nu_hidden=(8,), score=score), batch(700)  # more than one pass
    generator = torch.Generator().manual_seed(5)
    expected = torch.zeros(5, 3)
    for rows in (slice(0, 512), slice(512, 700)):
        part = Transitions(*(column[rows] for column in data))
        for k in range(5):
            noise = torch.randn(part.obs.shape, generator=generator)
            residual = model.denoising_residual(part, torch.full(part.reward.shape, k), noise)
            expected[k] += residual.detach().square().sum(0) / 700
    torch.testing.assert_close(mean_squared_residual(model, data, seed=5).float(), expected)


def test_a_model_that_always_predicts_zero_scores_one(make_encoder):
    model = make_encoder(action_dim=1)
    for parameter in model.psi_network.parameters():
        torch.nn.init.zeros_(parameter)
    residual = mean_squared_residual(model, batch(4000), seed=0)
    torch.testing.assert_close(residual, torch.ones_like(residual), rtol=0, atol=0.1)
