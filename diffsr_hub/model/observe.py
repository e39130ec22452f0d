"""How a raw observation becomes the vector that ψ reads and that the diffusion predicts; owned by the encoder.

An `observe` module maps raw observations to `[..., out_dim]`, which the encoder then standardises by its `obs_mean` and
`obs_std`, of the same size. The standardised vector is the input of ψ and the target of the diffusion. ψ, ν, the score,
the sampler and the diagnostics know its size, `out_dim`, and not what an observation was.
"""

from torch import Tensor, nn


class Numbers(nn.Module):
    """Observations that are vectors of numbers already: the identity, without a parameter.

    Args:
        obs_dim: Size of an observation.
    """

    def __init__(self, obs_dim: int) -> None:
        super().__init__()
        self.out_dim = obs_dim

    def forward(self, obs: Tensor) -> Tensor:
        """Map `[..., obs_dim]` to `[..., out_dim]`, which are the same here."""
        return obs
