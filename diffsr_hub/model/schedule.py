"""Noise schedules: how much of a next state is left at each diffusion level.

β is the *total* noise variance of a level, 1 − ᾱ in the words of DDPM (Ho et al., 2020), not its per-step β:
level 0 has the least noise, level K − 1 is almost pure noise.
"""

from typing import Literal

import torch
from torch import Tensor, nn

ScheduleName = Literal["vp", "linear", "cosine"]


def total_variance(name: ScheduleName, num_levels: int) -> Tensor:
    """β of every level, `[num_levels]` float64, strictly increasing within (0, 1).

    - `vp`: the variance-preserving diffusion with rates from 0.1 to 10 (Song et al., 2021), discretised as in the
      Diff-SR authors' 2025 code.
    - `linear`: DDPM's per-step noise from 1e-4 to 0.02 over 1,000 steps, seen at `num_levels` equally spaced times.
    - `cosine`: Nichol and Dhariwal (2021), with their offset 0.008. Theirs ends in pure noise, from which no step back
      is defined; where they clip the last steps, a ten-thousandth of the signal's variance stays here.
    """
    step = torch.arange(1, num_levels + 1, dtype=torch.float64)
    if name == "vp":
        log_alpha = -0.1 / num_levels - 0.5 * 9.9 * (2 * step - 1) / num_levels**2
        alpha_bar = log_alpha.cumsum(0).exp()
    elif name == "linear":
        log_alpha = torch.log1p(-torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64))
        ddpm = torch.cat([torch.zeros(1, dtype=torch.float64), log_alpha]).cumsum(0)
        time = step * 1000 / num_levels
        before = time.long().clamp(max=999)
        alpha_bar = torch.lerp(ddpm[before], ddpm[before + 1], time - before).exp()
    elif name == "cosine":
        angle = (torch.cat([torch.zeros(1, dtype=torch.float64), step]) / num_levels + 0.008) / 1.008 * torch.pi / 2
        squared = angle.cos().square()
        alpha_bar = 1e-4 + (1 - 1e-4) * squared[1:] / squared[0]
    else:
        raise ValueError(f"unknown noise schedule {name!r}; choose vp, linear or cosine")
    return 1 - alpha_bar


class NoiseSchedule(nn.Module):
    """The levels as buffers: they move with the model and are saved with it.

    Args:
        name: Kind of schedule, see `total_variance`.
        num_levels: Number K of noise levels, at least 1.
    """

    beta: Tensor
    """`[K]`, total noise variance of each level."""
    code: Tensor
    """`[K, code_dim]`, what a network is told of a level: its log signal-to-noise ratio, waves of it, and −½ log β."""
    code_dim = 18

    def __init__(self, name: ScheduleName, num_levels: int) -> None:
        super().__init__()
        if num_levels < 1:
            raise ValueError(f"num_levels must be at least 1, got {num_levels}")
        beta = total_variance(name, num_levels)
        log_snr = torch.log((1 - beta) / beta)
        centred = (log_snr - log_snr.mean()) / log_snr.std(correction=0).clamp(min=1e-6)
        waves = centred[:, None] * torch.arange(0.5, 4.5, 0.5, dtype=torch.float64)
        self.register_buffer("beta", beta.float())
        code = [centred[:, None], waves.sin(), waves.cos(), -0.5 * beta.log()[:, None]]
        self.register_buffer("code", torch.cat(code, dim=1).float())

    @property
    def num_levels(self) -> int:
        """Number K of levels."""
        return len(self.beta)

    def corrupt(self, next_obs: Tensor, level: Tensor, noise: Tensor) -> Tensor:
        """s̃' = √(1−β) s' + √β ε (method, section 2).

        Args:
            next_obs: `[..., obs_dim]`, normalised.
            level: `[...]`, int64 in 0..K−1.
            noise: `[..., obs_dim]`, standard normal.
        """
        beta = self.beta[level].unsqueeze(-1)
        return (1 - beta).sqrt() * next_obs + beta.sqrt() * noise
