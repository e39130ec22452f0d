"""The loss of Algorithm 1 at every noise level, and what it would be without a learned representation."""

from typing import NamedTuple

import torch
from torch import Tensor

from diffsr_hub.model.diffusion import denoising_residual
from diffsr_hub.model.encoder import DiffSR
from diffsr_hub.transitions import Transitions

_ROWS = 512  # in one pass through the score: bounds the memory of a matrix-valued one


class GaussianModel(NamedTuple):
    """A prediction of normalised next states with Gaussian errors, independent of each other."""

    variance: Tensor
    """`[obs_dim]`, of its errors where it was fitted"""
    error: Tensor
    """`[obs_dim]`, mean squared error on held-out data"""

    def loss(self, beta: Tensor) -> Tensor:
        """Its expected ε-form loss, `[K, obs_dim]`, at levels of total noise variance β `[K]`.

        Its best guess of the noise is √β (s̃' − √(1−β) m) / v with v = (1−β)σ² + β. Where the held-out error is σ²,
        the loss is the floor (1−β)σ² / v.
        """
        beta = beta.double().unsqueeze(-1)
        total = (1 - beta) * self.variance + beta
        return ((1 - beta) * self.variance / total).square() + beta * (1 - beta) * self.error / total.square()


@torch.no_grad()
def mean_squared_residual(model: DiffSR, batch: Transitions, *, seed: int) -> Tensor:
    """Mean over a batch of the squared `denoising_residual`, `[K, obs_dim]`, float64; its mean is the loss.

    Args:
        model: On the CPU.
        batch: `[N, ...]`
        seed: Of the noise, which is the same for every model.
    """
    generator = torch.Generator().manual_seed(seed)
    num_levels, obs_dim = model.unexplained.shape
    total = torch.zeros(num_levels, obs_dim, dtype=torch.float64)
    for first in range(0, len(batch.reward), _ROWS):
        part = Transitions(*(column[first : first + _ROWS] for column in batch))
        psi, clean = model.psi(part.obs, part.action), model.normalize(part.next_obs)
        for k in range(num_levels):
            level = torch.full(part.reward.shape, k)
            noise = torch.randn(clean.shape, generator=generator)
            residual = denoising_residual(model.score_network, model.schedule, psi, clean, level, noise)
            total[k] += residual.double().square().sum(0)
    return total / len(batch.reward)


def marginal_gaussian(train: Tensor, validation: Tensor) -> GaussianModel:
    """Next states without a look at state and action, from normalised next states `[N, obs_dim]`."""
    mean = train.double().mean(0)
    return GaussianModel((train - mean).square().mean(0), (validation - mean).square().mean(0))


def linear_gaussian(train: tuple[Tensor, Tensor], validation: tuple[Tensor, Tensor]) -> GaussianModel:
    """Linear dynamics s' = A [s, a] + b fitted by least squares.

    Args:
        train: Normalised states beside actions, `[N, obs_dim + action_dim]`; normalised next states `[N, obs_dim]`.
        validation: The same of other episodes.
    """
    inputs, targets = _with_one(train[0]), train[1].double()
    # gelsd also takes columns that do not vary or repeat each other.
    weight = torch.linalg.lstsq(inputs, targets, driver="gelsd").solution
    variance = (targets - inputs @ weight).square().mean(0)
    return GaussianModel(variance, (validation[1] - _with_one(validation[0]) @ weight).square().mean(0))


def _with_one(x: Tensor) -> Tensor:
    return torch.cat([x.double(), torch.ones(len(x), 1, dtype=torch.float64)], dim=1)
