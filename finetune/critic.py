"""Twin critics on random Fourier features of ψ: Q_i(s,a) = ξ_iᵀ h(φ_{ω_i}(ψ(s,a))) (method, sections 1 and 4)."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SinCos(torch.autograd.Function):
    """[sin x, cos x] along the last axis; each is the other's derivative, so that backward evaluates none anew."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Map `[..., m]` to `[..., 2m]`."""
        waves = torch.cat([x.sin(), x.cos()], dim=-1)
        ctx.save_for_backward(waves)
        return waves

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Tensor:
        """The gradient in x, `[..., m]`."""
        (waves,) = ctx.saved_tensors
        sin, cos = waves.chunk(2, dim=-1)
        d_sin, d_cos = grads[0].chunk(2, dim=-1)
        return torch.addcmul(d_sin * cos, d_cos, sin, value=-1)


def sin_cos(x: Tensor) -> Tensor:
    """[sin x, cos x], from `[..., m]` to `[..., 2m]`."""
    return SinCos.apply(x)  # type: ignore[no-untyped-call]


class TwinCritic(nn.Module):
    """Two critics side by side, in the same few matrix products.

    ψ is layer-normalised, so that the frequencies need not know its scale; they start as ω ~ N(0, bandwidth² / d) and
    are trained. `bandwidth` is then the standard deviation of the angles ωᵀψ, in radians.

    Args:
        feature_dim: Size d of ψ.
        num_frequencies: Number m of frequencies of each critic; it has 2m features.
        hidden: Width of the layer between the features and the value; 0 for a value that is linear in them.
        bandwidth: Standard deviation of the angles at the start.
    """

    def __init__(self, feature_dim: int, num_frequencies: int, hidden: int, bandwidth: float) -> None:
        super().__init__()
        width = hidden or 2 * num_frequencies
        self.omega = nn.Parameter(torch.randn(feature_dim, 2 * num_frequencies) * bandwidth * feature_dim**-0.5)
        self.hidden = nn.Parameter(_uniform(2, 2 * num_frequencies, hidden)) if hidden else None
        self.hidden_bias = nn.Parameter(torch.zeros(2, 1, hidden)) if hidden else None
        self.out = nn.Parameter(_uniform(2, width, 1))
        self.out_bias = nn.Parameter(torch.zeros(2, 1, 1))

    def forward(self, psi: Tensor) -> Tensor:
        """The values of both critics, `[2, B]`, for ψ `[B, feature_dim]`; in units of the reward's scale."""
        angle = F.layer_norm(psi, psi.shape[-1:]) @ self.omega
        hidden = sin_cos(angle.unflatten(-1, (2, -1))).transpose(0, 1)
        if self.hidden is not None and self.hidden_bias is not None:
            hidden = torch.baddbmm(self.hidden_bias, hidden, self.hidden).relu_()
        return torch.baddbmm(self.out_bias, hidden, self.out).squeeze(-1)


def _uniform(twins: int, rows: int, columns: int) -> Tensor:
    """PyTorch's initialisation of a linear layer, for two of them."""
    bound = 1 / math.sqrt(rows)
    return torch.empty(twins, rows, columns).uniform_(-bound, bound)
