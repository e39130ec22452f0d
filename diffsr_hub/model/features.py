"""Random Fourier features φ_ω of ψ, in which every Q function is linear (method, section 1)."""

import torch
from torch import Tensor, nn


class RandomFourierFeatures(nn.Module):
    """φ_ω(x) = [sin(ωᵀx / ℓ), cos(ωᵀx / ℓ)] / √m with ω ~ N(0, I).

    ⟨φ_ω(x), φ_ω(y)⟩ → exp(−‖x − y‖² / 2ℓ²) as m grows (Rahimi and Recht, 2007). The positive factor
    exp(‖ψ‖²/2 − log Z) of the paper's φ_ω is left to the head.

    Args:
        in_dim: Size of the input's last axis.
        num_frequencies: Number m of frequencies; there are 2m features.
        bandwidth: ℓ, in units of the input.
        generator: Source of ω.
    """

    omega: Tensor
    """`[in_dim, num_frequencies]`"""

    def __init__(
        self, in_dim: int, num_frequencies: int, *, bandwidth: float = 1.0, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        omega = torch.randn(in_dim, num_frequencies, generator=generator)
        self.register_buffer("omega", omega / bandwidth)

    def forward(self, x: Tensor) -> Tensor:
        """Map `[..., in_dim]` to `[..., 2 * num_frequencies]`."""
        angle = x @ self.omega
        return torch.cat([angle.sin(), angle.cos()], dim=-1) * self.omega.shape[1] ** -0.5
