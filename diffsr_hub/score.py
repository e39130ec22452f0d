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

from diffsr_hub.networks import ResidualMLP
from diffsr_hub.schedule import NoiseSchedule


class GradientScore(nn.Module):
    """ν(s̃', level) and its vector-Jacobian product.

        ν = g ⊙ (L h + C s̃' + ½ D s̃'²),   h = tanh(W … tanh(W s̃' + E c) … + E c),   g = exp(G c) / √β

    with `c` the code of the level. The quadratic part makes every Gaussian transition exactly representable; the tanh
    part is smooth, as a network whose gradient is fitted must be, and its derivative 1 − h² is the cheapest there is.
    The gain `g` starts at 1/√β, so that √β ψᵀ∇ν, which is fitted to the noise, starts at the same size at all levels.

    Args:
        schedule: The noise levels.
        obs_dim: Size of an observation.
        feature_dim: Size d of ψ and ν.
        hidden: Widths of the tanh layers, at least one.
    """

    def __init__(self, schedule: NoiseSchedule, obs_dim: int, feature_dim: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.schedule = schedule
        self.weights = nn.ModuleList(nn.Linear(i, o) for i, o in pairwise([obs_dim, *hidden]))
        self.level_biases = nn.ModuleList(nn.Linear(schedule.code_dim, width, bias=False) for width in hidden)
        self.log_gain = nn.Linear(schedule.code_dim, feature_dim)
        self.out = nn.Parameter(torch.empty(feature_dim, hidden[-1]))
        self.linear = nn.Parameter(torch.empty(feature_dim, obs_dim))
        self.square = nn.Parameter(torch.zeros(feature_dim, obs_dim))
        for parameter in (self.out, self.linear):
            nn.init.normal_(parameter, std=feature_dim**-0.5)
        nn.init.zeros_(self.log_gain.weight)
        nn.init.zeros_(self.log_gain.bias)

    def hidden(self, noisy: Tensor, level: Tensor) -> list[Tensor]:
        """The outputs of the tanh layers, first to last, each `[..., width]`."""
        outputs, x = [], noisy
        for weight, level_bias in zip(self.weights, self.level_biases, strict=True):
            # One row per level is cheaper than one per sample: project the K codes, then look them up.
            x = torch.tanh(weight(x) + F.embedding(level, level_bias(self.schedule.code)))
            outputs.append(x)
        return outputs

    def gain(self, level: Tensor) -> Tensor:
        """The positive factor g of every feature, `[..., feature_dim]`."""
        prior = -0.5 * self.schedule.beta.log().unsqueeze(-1)
        return F.embedding(level, torch.exp(self.log_gain(self.schedule.code) + prior))

    def nu(self, noisy: Tensor, level: Tensor) -> Tensor:
        """ν, `[..., feature_dim]`, of normalised noisy next states `[..., obs_dim]` at levels `[...]`."""
        last = self.hidden(noisy, level)[-1]
        features = F.linear(last, self.out) + F.linear(noisy, self.linear) + 0.5 * F.linear(noisy**2, self.square)
        return self.gain(level) * features

    def forward(self, psi: Tensor, noisy: Tensor, level: Tensor) -> Tensor:
        """The score ψᵀ∇ν, `[..., obs_dim]`, by walking back through ν.

        Autograd differentiates this once for the parameters: no double backward.
        """
        weighted = psi * self.gain(level)
        gradient = weighted @ self.out
        outputs = self.hidden(noisy, level)
        for weight, output in zip(reversed(self.weights), reversed(outputs), strict=True):
            gradient = (gradient * (1 - output * output)) @ weight.weight  # type: ignore[operator] # it is a Linear
        return gradient + weighted @ self.linear + (weighted @ self.square) * noisy


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
