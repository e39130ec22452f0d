"""The two ways to the score ψ(s,a)ᵀ ∇ν(s̃', level) of a noisy next state.

`GradientScore` has a real ν and takes its vector-Jacobian product in closed form: the cost of one backward pass
through ν, whatever the sizes. `MatrixScore` makes the Jacobian ζ a network with `feature_dim · obs_dim` outputs, as the
authors of Diff-SR did; it has no ν, and no energy.

Both work on normalised observations and return the score, the gradient of the log density, of shape `[..., obs_dim]`.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diffsr_hub.model.networks import ResidualMLP
from diffsr_hub.model.schedule import NoiseSchedule


class GradientScore(nn.Module):
    """ν(s̃', level) and its vector-Jacobian product.

        ν = g ⊙ L [h, s̃', ½ s̃'²],   h = tanh(W … tanh(W s̃' + b + e) … + b + e),   g = exp(γ)

    where e and γ are linear in the code of the level. The quadratic part makes every Gaussian transition exactly
    representable; the tanh part is smooth, as a network whose gradient is fitted must be, and its derivative 1 − h² is
    the cheapest there is. The gain g starts at 1/√β, so that √β ψᵀ∇ν, which is fitted to the noise, starts at the same
    size at all levels.

    Args:
        schedule: The noise levels.
        obs_dim: Size of an observation.
        feature_dim: Size d of ψ and ν.
        hidden: Widths of the tanh layers, at least one.
    """

    def __init__(self, schedule: NoiseSchedule, obs_dim: int, feature_dim: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.schedule = schedule
        self.layers = nn.ModuleList(nn.Linear(i, o) for i, o in pairwise([obs_dim, *hidden]))
        self.levels = nn.Linear(schedule.code_dim, sum(hidden) + feature_dim, bias=False)
        self.out = nn.Parameter(torch.zeros(feature_dim, hidden[-1] + 2 * obs_dim))
        self.level_sizes, self.out_sizes = [*hidden, feature_dim], [hidden[-1], obs_dim, obs_dim]
        nn.init.normal_(self.out[:, :-obs_dim], std=feature_dim**-0.5)
        nn.init.zeros_(self.levels.weight[-feature_dim:])
        nn.init.ones_(self.levels.weight[-feature_dim:, -1])  # of −½ log β

    def hidden(self, noisy: Tensor, level: Tensor) -> tuple[list[Tensor], Tensor]:
        """The outputs of the tanh layers, first to last, each `[..., width]`, and the gain g, `[..., feature_dim]`."""
        # One row per level is cheaper than one per sample: project the K codes, then look them up.
        of_level = F.embedding(level, self.levels(self.schedule.code))
        *shifts, log_gain = of_level.split(self.level_sizes, dim=-1)
        outputs, x = [], noisy
        for layer, shift in zip(self.layers, shifts, strict=True):
            x = torch.tanh(layer(x) + shift)
            outputs.append(x)
        return outputs, log_gain.exp()

    def nu(self, noisy: Tensor, level: Tensor) -> Tensor:
        """ν, `[..., feature_dim]`, of normalised noisy next states `[..., obs_dim]` at levels `[...]`."""
        outputs, gain = self.hidden(noisy, level)
        noisy = noisy.expand(*outputs[-1].shape[:-1], -1)
        return gain * F.linear(torch.cat([outputs[-1], noisy, 0.5 * noisy * noisy], dim=-1), self.out)

    def forward(self, psi: Tensor, noisy: Tensor, level: Tensor) -> Tensor:
        """The score ψᵀ∇ν, `[..., obs_dim]`, by walking back through ν.

        Autograd differentiates this once for the parameters: no double backward. (That derivative written out by hand
        was measured, and no faster.)
        """
        outputs, gain = self.hidden(noisy, level)
        gradient, linear, square = ((psi * gain) @ self.out).split(self.out_sizes, dim=-1)
        for layer, output in zip(reversed(self.layers), reversed(outputs), strict=True):
            # `tanh_backward(g, h)` is g (1 − h²) in one operation.
            gradient = torch.ops.aten.tanh_backward.default(gradient, output) @ layer.weight
        return gradient + linear + square * noisy


class MatrixScore(nn.Module):
    """ζ(s̃', level) as a matrix-valued residual network, the authors' parametrisation (arXiv 2406.16121 and its code).

    The network predicts −√β ζ, so that its product with ψ is the predicted noise at every level.

    Args:
        schedule: The noise levels.
        obs_dim: Size of an observation.
        feature_dim: Size d of ψ; the last layer has `feature_dim * obs_dim` outputs.
        hidden: Widths of the residual blocks, all equal.
    """

    def __init__(self, schedule: NoiseSchedule, obs_dim: int, feature_dim: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.schedule = schedule
        self.shape = (feature_dim, obs_dim)
        self.network = ResidualMLP(obs_dim + schedule.code_dim, hidden, feature_dim * obs_dim)

    def forward(self, psi: Tensor, noisy: Tensor, level: Tensor) -> Tensor:
        """The score ψᵀζ, `[..., obs_dim]`."""
        leading = (noisy[..., 0] * level).shape
        inputs = [noisy.expand(*leading, -1), self.schedule.code[level].expand(*leading, -1)]
        matrix = self.network(torch.cat(inputs, dim=-1)).unflatten(-1, self.shape)
        noise = (psi.unsqueeze(-2) @ matrix).squeeze(-2)
        return -noise * self.schedule.beta[level].rsqrt().unsqueeze(-1)
