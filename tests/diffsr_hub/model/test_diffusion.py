"""Loss and sampler against what is known exactly: Gaussian transitions, without training and with it."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from diffsr_hub import DiffSR, Transitions
from diffsr_hub.model.diffusion import Score, denoising_residual, diffsr_loss, reverse_diffusion
from diffsr_hub.model.schedule import NoiseSchedule, ScheduleName

# --- the loss --------------------------------------------------------------------------------------------------------


def sample(batch: int = 40, obs_dim: int = 3, num_levels: int = 5) -> tuple[NoiseSchedule, Tensor, Tensor, Tensor]:
    """A schedule, next states, levels and noise."""
    generator = torch.Generator().manual_seed(0)
    next_obs, noise = torch.randn(2, batch, obs_dim, generator=generator, dtype=torch.float64)
    return NoiseSchedule("vp", num_levels).double(), next_obs, torch.arange(batch) % num_levels, noise


def predicting(schedule: NoiseSchedule, noise: Tensor) -> Score:
    """A score that says: the noise was this."""

    def score(psi: Tensor, noisy: Tensor, level: Tensor) -> Tensor:
        return -noise / schedule.beta[level].sqrt().unsqueeze(-1)

    return score


def test_loss_is_zero_if_and_only_if_the_noise_is_predicted() -> None:
    schedule, next_obs, level, noise = sample()
    exact = denoising_residual(predicting(schedule, noise), schedule, next_obs, next_obs, level, noise)
    assert diffsr_loss(exact, schedule.beta[level]).item() == pytest.approx(0, abs=1e-30)
    off = noise.clone()
    off[3, 1] += 0.1
    residual = denoising_residual(predicting(schedule, off), schedule, next_obs, next_obs, level, noise)
    assert diffsr_loss(residual, schedule.beta[level]).item() == pytest.approx(0.1**2 / noise.numel())


def test_residual_is_the_papers_bracket_times_the_noise_deviation() -> None:
    schedule, next_obs, level, noise = sample()

    def score(psi: Tensor, noisy: Tensor, level: Tensor) -> Tensor:
        return (psi * noisy).sin() + level.unsqueeze(-1)

    residual = denoising_residual(score, schedule, next_obs, next_obs, level, noise)
    beta = schedule.beta[level].unsqueeze(-1)
    noisy = (1 - beta).sqrt() * next_obs + beta.sqrt() * noise
    bracket = score(next_obs, noisy, level) + (noisy - (1 - beta).sqrt() * next_obs) / beta
    torch.testing.assert_close(residual, beta.sqrt() * bracket)
    paper = bracket.square().mean()
    torch.testing.assert_close(diffsr_loss(residual, schedule.beta[level], "paper"), paper)


def test_weightings_differ_by_exactly_beta() -> None:
    schedule, _, _, noise = sample()
    for k in range(5):
        beta = schedule.beta[torch.full((40,), k)]
        epsilon, paper = diffsr_loss(noise, beta), diffsr_loss(noise, beta, "paper")
        torch.testing.assert_close(paper, epsilon / schedule.beta[k])


def test_a_score_of_zero_costs_1_at_every_level() -> None:
    schedule, *_ = sample()
    next_obs, noise = torch.randn(2, 5, 40_000, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    level = torch.arange(5)[:, None].expand(5, 40_000)
    residual = denoising_residual(lambda psi, noisy, level: noisy * 0, schedule, next_obs, next_obs * 9, level, noise)
    assert torch.equal(residual, noise)
    for k in range(5):
        assert diffsr_loss(residual[k], schedule.beta[level[k]]).item() == pytest.approx(1, abs=0.02)


# --- the sampler, without training: Gaussian transitions whose ψ is their mean ---------------------------------------

MEAN = torch.tensor([-2.0, 0.5, 1.0], dtype=torch.float64)
SIGMA = torch.tensor([0.05, 0.4, 1.5], dtype=torch.float64)


def gaussian(schedule: NoiseSchedule) -> tuple[Score, Tensor]:
    """The exact score of N(ψ, σ²) at every level, and the exact mean square of what it leaves unexplained."""
    kept = 1 - schedule.beta.unsqueeze(-1)
    variance = kept * SIGMA**2 + schedule.beta.unsqueeze(-1)

    def score(psi: Tensor, noisy: Tensor, level: Tensor) -> Tensor:
        return -(noisy - kept[level].sqrt() * psi) / variance[level]

    return score, kept * SIGMA**2 / variance


@pytest.mark.parametrize("num_levels", [1, 2, 10, 50])
@pytest.mark.parametrize("name", ["vp", "linear", "cosine"])
def test_sampler_is_exact_for_gaussian_transitions_at_any_number_of_levels(name: ScheduleName, num_levels: int) -> None:
    schedule, count = NoiseSchedule(name, num_levels).double(), 60_000
    score, unexplained = gaussian(schedule)
    generator = torch.Generator().manual_seed(num_levels)
    drawn = reverse_diffusion(score, schedule, MEAN.expand(count, 3), unexplained, generator)
    # The walk starts from N(0, 1), not from the last level's N(√ᾱ m, ᾱσ² + β): what that leaves of either is known.
    beta = schedule.beta[-1]
    last = (1 - beta) * SIGMA**2 + beta
    mean = MEAN - (1 - beta) * SIGMA**2 * MEAN / last
    variance = SIGMA**2 * beta / last + (1 - beta) * SIGMA**4 / last**2
    assert ((drawn.mean(0) - mean).abs() < 5 * (variance / count).sqrt()).all()
    assert ((drawn.var(0) / variance - 1).abs() < 5 * (2 / count) ** 0.5).all()
    covariance = torch.corrcoef(drawn.T) - torch.eye(3, dtype=torch.float64)
    assert covariance.abs().max() < 5 / count**0.5


@pytest.mark.parametrize("num_levels", [1, 2, 10])
def test_sampler_without_the_table_is_ddpm_which_is_too_narrow(num_levels: int) -> None:
    schedule, count = NoiseSchedule("vp", num_levels).double(), 60_000
    score, unexplained = gaussian(schedule)
    # Ho et al. (2020), eq. 11 and 7, written as the recursion of a variance.
    alpha_bar = torch.cat([torch.ones(1, dtype=torch.float64), 1 - schedule.beta])
    expected = torch.ones(3, dtype=torch.float64)
    for k in range(num_levels, 0, -1):
        alpha = alpha_bar[k] / alpha_bar[k - 1]
        factor = (1 - (1 - alpha) / (alpha_bar[k] * SIGMA**2 + 1 - alpha_bar[k])) / alpha.sqrt()
        expected = factor**2 * expected + (1 - alpha_bar[k - 1]) / (1 - alpha_bar[k]) * (1 - alpha)
    generator = torch.Generator().manual_seed(num_levels)
    drawn = reverse_diffusion(score, schedule, MEAN.expand(count, 3), torch.zeros_like(unexplained), generator)
    assert ((drawn.var(0) / expected - 1).abs() < 5 * (2 / count) ** 0.5).all()
    assert (drawn.var(0) < 0.95 * SIGMA**2).all()


# --- Algorithm 1 on a linear-Gaussian MDP: s' = A s + B a + σ ξ ------------------------------------------------------

DYNAMICS = torch.tensor([[0.9, 0.2, 0.0, 0.3, 0.0], [-0.2, 0.7, 0.3, 0.0, 0.4], [0.0, 0.1, 0.5, 0.2, -0.3]])
NOISE = torch.tensor([0.15, 0.3, 0.7])
OBS_MEAN, OBS_STD = torch.tensor([1.0, -2.0, 30.0]), torch.tensor([0.5, 2.0, 10.0])


class Trained(NamedTuple):
    """A model after training, and the mean squared residual of every level and dimension on held-out transitions."""

    model: DiffSR
    held_out: Tensor
    floor: Tensor


def transitions(count: int, generator: torch.Generator) -> tuple[Transitions, Tensor]:
    """Raw transitions, and the conditional means of their next observations."""
    obs, action = torch.randn(count, 3, generator=generator), torch.rand(count, 2, generator=generator) * 2 - 1
    mean = torch.cat([obs, action], dim=-1) @ DYNAMICS.T
    next_obs = mean + NOISE * torch.randn(count, 3, generator=generator)
    raw = (x * OBS_STD + OBS_MEAN for x in (obs, next_obs, mean))
    obs, next_obs, mean = raw
    return Transitions(obs, action, torch.zeros(count), next_obs, torch.zeros(count, dtype=torch.bool)), mean


def train(updates: int, **arguments: object) -> Trained:
    """Algorithm 1, bare."""
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        sizes = {"feature_dim": 16, "psi_hidden": (32,), "nu_hidden": (32,), "num_levels": 10, "num_frequencies": 2}
        model = DiffSR(3, 2, **{**sizes, **arguments})  # type: ignore[arg-type]
    model.set_statistics(OBS_MEAN, OBS_STD, torch.tensor(0.0), torch.tensor(1.0))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, fused=True)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, updates)
    level = torch.arange(256) % 10
    for _ in range(updates):
        noise = torch.randn(256, 3, generator=generator)
        residual = model.denoising_residual(transitions(256, generator)[0], level, noise)
        optimizer.zero_grad()
        torch.autograd.backward(diffsr_loss(residual, model.schedule.beta[level]))
        optimizer.step()
        decay.step()
    batch, _ = transitions(100_000, generator)
    with torch.no_grad():
        noises = torch.randn(10, 100_000, 3, generator=generator)
        residuals = [model.denoising_residual(batch, torch.tensor(k), noise) for k, noise in enumerate(noises)]
    beta = model.schedule.beta.unsqueeze(-1)
    floor = (1 - beta) * NOISE**2 / ((1 - beta) * NOISE**2 + beta)
    return Trained(model, torch.stack([residual.square().mean(0) for residual in residuals]), floor)


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train(2_500)


def test_trained_loss_reaches_its_floor_at_every_level_and_dimension(trained: Trained) -> None:
    assert (trained.held_out > 0.97 * trained.floor).all()
    assert (trained.held_out < 1.06 * trained.floor + 0.0015).all()
    assert (trained.held_out[0].mean() / trained.floor[0].mean()).item() < 1.03


def test_next_state_mean_is_linear_in_psi(trained: Trained) -> None:
    batch, mean = transitions(5_000, torch.Generator().manual_seed(1))
    psi = trained.model.psi(batch.obs, batch.action).detach().double()
    inputs = torch.cat([psi, torch.ones(5_000, 1)], dim=-1)
    target = ((mean - OBS_MEAN) / OBS_STD).double()
    fitted = inputs[:2_500].pinverse() @ target[:2_500]
    error = (inputs[2_500:] @ fitted - target[2_500:]).square().mean(0) / target.var(0)
    assert error.max() < 0.01


def test_samples_have_the_conditional_mean_and_variance_of_the_transition(trained: Trained) -> None:
    model, held_out, _ = trained
    model.unexplained.copy_(held_out)
    generator = torch.Generator().manual_seed(2)
    batch, mean = transitions(100, generator)
    obs, action = batch.obs.expand(1_000, 100, 3), batch.action.expand(1_000, 100, 2)
    error = (model.sample_next_obs(obs, action, generator) - mean) / (OBS_STD * NOISE)
    # Of 1,000 draws, the mean is known to 0.03 σ and the variance to 4.5 %.
    assert error.mean(0).square().mean(0).sqrt().max() < 0.15
    assert (error.mean((0, 1)).abs() < 0.05).all()
    assert ((error.var(0).mean(0) - 1).abs() < 0.1).all()
    model.unexplained.zero_()
    narrow = (model.sample_next_obs(obs, action, generator) - mean) / (OBS_STD * NOISE)
    assert (narrow.var(0).mean(0) < 0.9).all()


def test_matrix_score_learns_the_same_transition() -> None:
    result = train(300, score="matrix", nu_hidden=(32, 32))
    # 1 is what a score of zero costs; the floor is about 0.5 at the first level and 0.001 at the last.
    assert result.held_out.mean(1)[0] < 1.2 * result.floor.mean(1)[0]
    assert (result.held_out < result.floor + 0.15).all()
    assert result.held_out.mean() < 0.2
