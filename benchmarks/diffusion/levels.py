"""Noise levels of a diffusion, and one step back through them: DDPM, DDIM, and DPM-Solver++ of second order.

Level k of 1 … K holds x_k = √ᾱ_k x₀ + √(1 − ᾱ_k) ε; level 0 is the data. Tensors of data have the shape `[B, …]`.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

LARGEST_BETA = 0.999


@dataclass(frozen=True)
class Levels:
    """How much of the data is kept at each level."""

    kept: Tensor
    """`[K + 1]`, ᾱ of the levels 0 … K; ᾱ_0 = 1"""
    time: Tensor
    """`[K + 1]`, what a denoiser is told of each level"""

    @classmethod
    def of_betas(cls, beta: Tensor) -> "Levels":
        """The levels of variances β_1 … β_K, `[K]` in float64; a denoiser is told 0 … K − 1."""
        kept = torch.cat([torch.ones(1, dtype=torch.float64), (1 - beta).cumprod(0)])
        return cls(kept.float(), torch.arange(-1, len(beta)).float())

    def __len__(self) -> int:
        return len(self.kept) - 1

    def respaced(self, count: int) -> "Levels":
        """Some of these levels, evenly spaced, the noisiest among them."""
        chosen = torch.linspace(0, len(self), count + 1, dtype=torch.float64).round().long()
        return Levels(self.kept[chosen], self.time[chosen])

    def draw(self, size: int, generator: torch.Generator) -> Tensor:
        """Levels to train on, `[size]`, int64, uniform over 1 … K."""
        return torch.randint(1, len(self) + 1, (size,), generator=generator)

    def noisy(self, x: Tensor, level: Tensor, noise: Tensor) -> Tensor:
        """x_k of data x at levels `[B]`."""
        kept = _beside(self.kept[level], x)
        return kept.sqrt() * x + (1 - kept).sqrt() * noise

    def clean(self, x: Tensor, level: int, noise: Tensor) -> Tensor:
        """x̂₀ for a prediction of the noise in x_k."""
        kept = self.kept[level]
        return (x - (1 - kept).sqrt() * noise) / kept.sqrt()

    def beta(self, level: int) -> Tensor:
        """Variance that a level adds to the one below it."""
        return 1 - self.kept[level] / self.kept[level - 1]

    def variance(self, level: int) -> Tensor:
        """σ²_k of x_{k−1} where x_k and x₀ are known."""
        return self.beta(level) * (1 - self.kept[level - 1]) / (1 - self.kept[level])

    def mean(self, x: Tensor, level: int, clean: Tensor) -> Tensor:
        """Mean of x_{k−1} where x_k and x₀ are known."""
        above, below, beta = self.kept[level], self.kept[level - 1], self.beta(level)
        return (below.sqrt() * beta * clean + (1 - beta).sqrt() * (1 - below) * x) / (1 - above)

    def ddpm(self, x: Tensor, level: int, clean: Tensor, noise: Tensor) -> Tensor:
        """x_{k−1} drawn as DDPM does."""
        return self.mean(x, level, clean) + self.variance(level).sqrt() * noise

    def ddim(self, x: Tensor, level: int, clean: Tensor) -> Tensor:
        """x_{k−1} along DDIM's path without noise."""
        above, below = self.kept[level], self.kept[level - 1]
        noise = (x - above.sqrt() * clean) / (1 - above).sqrt()
        return below.sqrt() * clean + (1 - below).sqrt() * noise

    def solver(self, x: Tensor, level: int, clean: Tensor, before: Tensor | None) -> Tensor:
        """x_{k−1} by DPM-Solver++(2M).

        Args:
            x: x_k.
            level: k.
            clean: x̂₀ at this level.
            before: x̂₀ at level k + 1; None at the first step.
        """
        if before is None or level == 1:
            return self.ddim(x, level, clean)  # which is the solver of first order
        step, last = self._signal(level - 1) - self._signal(level), self._signal(level) - self._signal(level + 1)
        slope = (clean - before) * step / (2 * last)
        above, below = self.kept[level], self.kept[level - 1]
        return ((1 - below) / (1 - above)).sqrt() * x - below.sqrt() * torch.expm1(-step) * (clean + slope)

    def _signal(self, level: int) -> Tensor:
        """Logarithm of signal over noise, half of it."""
        return 0.5 * torch.log(self.kept[level] / (1 - self.kept[level]))


def vp(count: int) -> Levels:
    """The schedule of DQL and IDQL: β between 0.1 and 10 a unit of time, in `count` levels."""
    t = torch.arange(1, count + 1, dtype=torch.float64)
    return Levels.of_betas(1 - torch.exp(-0.1 / count - 0.5 * 9.9 * (2 * t - 1) / count**2))


def cosine(count: int) -> Levels:
    """The schedule of the planners and of the world models (arXiv 2102.09672, equation 17)."""
    t = torch.arange(count + 1, dtype=torch.float64) / count
    signal = torch.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2
    return Levels.of_betas((1 - signal[1:] / signal[:-1]).clamp(max=LARGEST_BETA))


def vp_sde(count: int, last: float = 1e-3) -> Levels:
    """Times of SfBC's diffusion in continuous time, from 1 to `last`, and the data; a denoiser is told the time."""
    t = torch.cat([torch.zeros(1), torch.linspace(last, 1, count)])
    return Levels(vp_sde_kept(t), t)


def vp_sde_kept(t: Tensor) -> Tensor:
    """ᾱ at times t in [0, 1]: β from 0.1 to 20."""
    return torch.exp(-0.5 * t.square() * (20 - 0.1) - t * 0.1)


def _beside(values: Tensor, x: Tensor) -> Tensor:
    """Values `[B]` so shaped that they multiply x `[B, …]`."""
    return values.view(-1, *[1] * (x.dim() - 1))
