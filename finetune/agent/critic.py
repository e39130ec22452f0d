"""Twin critics, linear in random Fourier features of ψ: Q_i(s,a) = ξ_iᵀ φ_{ω_i}(ψ(s,a)) (method, sections 1 and 4).

Their gradients are written out: autograd dispatches twice as many operations for the same, and at these sizes they cost
as much as the matrix products.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPS = 1e-5
"""of the layer normalisation"""


class Waves(NamedTuple):
    """φ_ω of both critics, side by side: `[B, 2m]` each, the first m columns are the first critic's."""

    sin: Tensor
    cos: Tensor


class TwinCritic(nn.Module):
    """Two critics side by side, in the same few matrix products.

    φ_ω(ψ) = [sin ωᵀx, cos ωᵀx] of x = LayerNorm(ψ), so that the frequencies need not know the scale of ψ. They start
    as ω ~ N(0, bandwidth² / d) and are trained; `bandwidth` is the standard deviation of the angles ωᵀx, in radians.

    Args:
        feature_dim: Size d of ψ.
        num_frequencies: Number m of frequencies of each critic; it has 2m features.
        bandwidth: Standard deviation of the angles at the start.
    """

    def __init__(self, feature_dim: int, num_frequencies: int, bandwidth: float) -> None:
        super().__init__()
        bound = (2 * num_frequencies) ** -0.5
        self.omega = nn.Parameter(torch.randn(feature_dim, 2 * num_frequencies) * bandwidth * feature_dim**-0.5)
        self.xi_sin = nn.Parameter(torch.empty(2 * num_frequencies).uniform_(-bound, bound))
        self.xi_cos = nn.Parameter(torch.empty(2 * num_frequencies).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(2))

    def forward(self, psi: Tensor) -> Tensor:
        """The values of both critics, `[2, B]`, for ψ `[B, feature_dim]`; in units of the reward's scale."""
        return self._values(self._waves(self._normalized(psi)))

    @torch.no_grad()
    def regress(self, psi: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Set the gradients of L = Σ_i mean_B (Q_i − target)².

        With e = 2 (Q − target) / B: dL/dξ = φᵀ e and dL/dω = xᵀ (e dQ/dωᵀx).

        Args:
            psi: `[B, feature_dim]`.
            target: `[B]`.

        Returns:
            L, and the values `[2, B]`.
        """
        x = self._normalized(psi)
        waves = self._waves(x)
        values = self._values(waves)
        error = values - target
        e = error * (2 / len(target))
        self.bias.grad = e.sum(-1)
        self.xi_sin.grad = torch.cat([e_i @ sin_i for e_i, sin_i in zip(e, _twins(waves.sin), strict=True)])
        self.xi_cos.grad = torch.cat([e_i @ cos_i for e_i, cos_i in zip(e, _twins(waves.cos), strict=True)])
        slope = self._slope(waves)
        for e_i, slope_i in zip(e, _twins(slope), strict=True):
            slope_i.mul_(e_i.unsqueeze(-1))
        self.omega.grad = x.T @ slope
        return error.square().mean(-1).sum(), values

    @torch.no_grad()
    def ascend(self, psi: Tensor) -> tuple[Tensor, Tensor]:
        """The mean Q̄ of both critics and where it rises.

        dQ̄/dψ = (g − mean g − x mean(g x)) / σ, through the layer normalisation, with g = ω dQ̄/dωᵀx.

        Args:
            psi: `[B, feature_dim]`.

        Returns:
            Q̄ `[B]`, and dQ̄/dψ `[B, feature_dim]`.
        """
        x, _, inverse_std = torch.native_layer_norm(psi, psi.shape[-1:], None, None, EPS)
        waves = self._waves(x)
        g = self._slope(waves) @ self.omega.T / 2
        g = g - g.mean(-1, keepdim=True) - x * (g * x).mean(-1, keepdim=True)
        return self._values(waves).mean(0), g * inverse_std

    def _normalized(self, psi: Tensor) -> Tensor:
        return F.layer_norm(psi, psi.shape[-1:], eps=EPS)

    def _waves(self, x: Tensor) -> Waves:
        angle = x @ self.omega
        return Waves(angle.sin(), angle.cos())

    def _values(self, waves: Waves) -> Tensor:
        """ξᵀφ of each critic, `[2, B]`."""
        halves = (*map(_twins, waves), _twins(self.xi_sin), _twins(self.xi_cos), self.bias)
        return torch.stack([bias + sin @ a + cos @ b for sin, cos, a, b, bias in zip(*halves, strict=True)])

    def _slope(self, waves: Waves) -> Tensor:
        """dQ_i/dωᵀx = ξ_sin cos ωᵀx − ξ_cos sin ωᵀx, `[B, 2m]`."""
        return torch.addcmul(waves.cos * self.xi_sin, waves.sin, self.xi_cos, value=-1)


def _twins(columns: Tensor) -> tuple[Tensor, ...]:
    """The halves of the two critics."""
    return columns.chunk(2, dim=-1)
