"""What is done with a score: the loss of Algorithm 1, and sampling by reverse diffusion.

A score here is any callable `(psi, noisy, level) -> [..., obs_dim]` on normalised observations, see `score.py`.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from diffsr_hub.model.schedule import NoiseSchedule

Score = Callable[[Tensor, Tensor, Tensor], Tensor]
Weighting = Literal["epsilon", "paper"]


def denoising_residual(
    score: Score, schedule: NoiseSchedule, psi: Tensor, next_obs: Tensor, level: Tensor, noise: Tensor
) -> Tensor:
    """√β ψᵀ∇ν(s̃') + ε, the error of the predicted noise, `[..., obs_dim]`.

    It is √β times the bracket in the paper's Algorithm 1, ψᵀζ + (s̃' − √(1−β) s')/β.

    Args:
        score: The score network.
        schedule: The noise levels.
        psi: `[..., feature_dim]`.
        next_obs: `[..., obs_dim]`, normalised.
        level: `[...]`, int64.
        noise: `[..., obs_dim]`, standard normal.
    """
    noisy = schedule.corrupt(next_obs, level, noise)
    return schedule.beta[level].sqrt().unsqueeze(-1) * score(psi, noisy, level) + noise


def diffsr_loss(residual: Tensor, beta: Tensor, weighting: Weighting = "epsilon") -> Tensor:
    """Mean over samples and dimensions of the squared residual; a scalar.

    Args:
        residual: `[..., obs_dim]` from `denoising_residual`.
        beta: `[...]`, noise variance of each sample's level.
        weighting: `epsilon` weighs all levels alike (a constant prediction scores 1 per dimension); `paper` is
            Algorithm 1 as printed, which divides by β and lets the smallest levels dominate.
    """
    if weighting == "paper":
        residual = residual * beta.rsqrt().unsqueeze(-1)
    return residual.square().mean()


@torch.no_grad()
def reverse_diffusion(
    score: Score,
    schedule: NoiseSchedule,
    psi: Tensor,
    unexplained: Tensor,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Sample normalised next states by walking from pure noise back through all levels.

    Each step draws from a Gaussian whose mean is DDPM's posterior mean at the predicted clean state, and whose variance
    adds what the prediction leaves open (Bao et al., 2022, arXiv 2201.06503, eq. 8): with √β-scaled scores that part is
    measured by the squared residual of the noise. The walk is then exact for Gaussian transitions at any K.

    Args:
        score: The score network.
        schedule: The noise levels.
        psi: `[..., feature_dim]`.
        unexplained: `[K, obs_dim]`, mean squared `denoising_residual` of every level; zero gives plain DDPM.
        generator: Source of the noise.

    Returns:
        `[..., obs_dim]`, one sample for every ψ.
    """
    shape = (*psi.shape[:-1], unexplained.shape[-1])

    def gaussian() -> Tensor:
        return torch.randn(shape, generator=generator, device=psi.device, dtype=psi.dtype)

    x = gaussian()
    for k in reversed(range(schedule.num_levels)):
        beta, kept = schedule.beta[k], 1 - schedule.beta[k]
        level = torch.full(shape[:-1], k, device=psi.device)
        clean = (x + beta * score(psi, x, level)) / kept.sqrt()
        open_variance = beta / kept * unexplained[k]
        if k == 0:
            return clean + open_variance.sqrt() * gaussian()
        beta_below = schedule.beta[k - 1]
        kept_below = 1 - beta_below
        variance = beta_below / beta * (1 - kept / kept_below)
        pull = ((beta_below - variance) / beta).sqrt()
        slope = kept_below.sqrt() - pull * kept.sqrt()
        x = slope * clean + pull * x + (variance + slope.square() * open_variance).sqrt() * gaussian()
    raise AssertionError("a schedule has at least one level")
