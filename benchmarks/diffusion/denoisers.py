"""Denoisers of actions and of short trajectories: multilayer perceptrons that are told the level and a condition."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

Activation = type[nn.Module]


def mlp(sizes: Sequence[int], activation: Activation) -> nn.Sequential:
    """Linear layers with an activation between them."""
    layers: list[nn.Module] = []
    for size, following in pairwise(sizes):
        layers += [nn.Linear(size, following), activation()]
    return nn.Sequential(*layers[:-1])


class Waves(nn.Module):
    """Sines and cosines of the time, `[B]` → `[B, size]`, of fixed frequencies from 1 down to 1e-4."""

    def __init__(self, size: int) -> None:
        super().__init__()
        half = size // 2
        steps = torch.arange(half) / (half - 1)
        self.register_buffer("frequency", torch.exp(-math.log(10_000.0) * steps), persistent=False)
        self.frequency: Tensor

    def forward(self, time: Tensor) -> Tensor:
        """Of times `[B]`."""
        angle = time.unsqueeze(-1) * self.frequency
        return torch.cat([angle.sin(), angle.cos()], -1)


class Fourier(nn.Module):
    """The same of Gaussian frequencies, which may learn.

    Args:
        size: Of the output.
        scale: Standard deviation of the frequencies.
        learns: Whether they do.
    """

    def __init__(self, size: int, scale: float, *, learns: bool) -> None:
        super().__init__()
        self.frequency = nn.Parameter(torch.randn(size // 2) * scale, requires_grad=learns)

    def forward(self, time: Tensor) -> Tensor:
        """Of times `[B]`."""
        angle = 2 * math.pi * time.unsqueeze(-1) * self.frequency
        return torch.cat([angle.sin(), angle.cos()], -1)


class Denoiser(nn.Module):
    """(x_k, time of k, condition) → what is predicted, `[B, size]`.

    Args:
        time: Embedding of the time.
        trunk: Takes x, the embedded time and the condition side by side.
    """

    def __init__(self, time: nn.Module, trunk: nn.Module) -> None:
        super().__init__()
        self.embed, self.trunk = time, trunk

    def forward(self, x: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        """Of x `[B, size]`, times `[B]` and conditions `[B, condition]`."""
        return self.trunk(torch.cat([x, self.embed(time), condition], -1))


class Residual(nn.Module):
    """x + f(x)."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        """Of the same shape as x."""
        return x + self.inner(x)


def action_mlp(
    action_dim: int, obs_dim: int, width: int, activation: Activation, *, layers: int = 3, time: int = 16
) -> Denoiser:
    """Diffusion-QL's ε(a_k, k, s)."""
    embed = nn.Sequential(Waves(time), *mlp([time, 2 * time, time], activation))
    return Denoiser(embed, mlp([action_dim + time + obs_dim, *[width] * layers, action_dim], activation))


def residual_mlp(
    action_dim: int, obs_dim: int, width: int, activation: Activation, *, blocks: int, dropout: float, time: int = 64
) -> Denoiser:
    """IDQL's ε(a_k, k, s): blocks of dropout, layer normalisation and two layers, the inner one four times as wide."""

    def block() -> nn.Module:
        inner = mlp([width, 4 * width, width], activation)
        return Residual(nn.Sequential(nn.Dropout(dropout), nn.LayerNorm(width), *inner))

    embed = nn.Sequential(Fourier(time, 0.2, learns=True), *mlp([time, 2 * time, 2 * time], activation))
    ends = nn.Linear(action_dim + 2 * time + obs_dim, width), nn.Linear(width, action_dim)
    return Denoiser(embed, nn.Sequential(ends[0], *(block() for _ in range(blocks)), activation(), ends[1]))


def trajectory_mlp(size: int, condition: int, width: int, *, blocks: int, time: int = 32) -> Denoiser:
    """PolyGRAD's x̂₀ of a whole short trajectory, flattened: residual layers of one width with normalisation."""

    def block() -> nn.Module:
        return Residual(nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.LayerNorm(width)))

    ends = nn.Linear(size + time + condition, width), nn.Linear(width, size)
    return Denoiser(Waves(time), nn.Sequential(ends[0], nn.ReLU(), *(block() for _ in range(blocks)), ends[1]))


class SkipMlp(nn.Module):
    """SfBC's score network: a U-Net of residual layers, each told the time and the state.

    Args:
        action_dim: Size of an action.
        obs_dim: Size of an observation.
        widths: Of the layers on the way down; those on the way up mirror them.
        embedding: Size of the embedded time and of the embedded state.
    """

    def __init__(self, action_dim: int, obs_dim: int, widths: Sequence[int], *, embedding: int = 32) -> None:
        super().__init__()
        fourier = Fourier(embedding, 30.0, learns=False)
        self.embed_time = nn.Sequential(fourier, nn.Linear(embedding, embedding), nn.SiLU())
        self.embed_obs = nn.Sequential(nn.Linear(obs_dim, embedding), nn.SiLU())
        told, up = 2 * embedding, widths[-2::-1]
        below = [action_dim, *widths[:-1]]
        self.down = nn.ModuleList(_Layer(i, o, told) for i, o in zip(below, widths, strict=True))
        self.middle = _Layer(widths[-1], widths[-1], told)
        joined = [2 * widths[-1], *(2 * width for width in up[:-1])]
        self.up = nn.ModuleList(_Layer(i, o, told) for i, o in zip(joined, up, strict=True))
        self.last = nn.Linear(2 * widths[0], action_dim)

    def forward(self, x: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        """Of actions `[B, action_dim]`, times `[B]` and observations `[B, obs_dim]`."""
        told = torch.cat([self.embed_time(time), self.embed_obs(condition)], -1)
        skips = []
        for layer in self.down:
            x = layer(x, told)
            skips.append(x)
        x = self.middle(x, told)
        for layer in self.up:
            x = layer(torch.cat([x, skips.pop()], -1), told)
        return self.last(torch.cat([x, skips.pop()], -1))


class _Layer(nn.Module):
    """Two layers that are told something, beside a linear skip."""

    def __init__(self, size: int, width: int, told: int) -> None:
        super().__init__()
        self.first, self.tell, self.second = nn.Linear(size, width), nn.Linear(told, width), nn.Linear(width, width)
        self.skip, self.activation = nn.Linear(size, width), nn.SiLU()

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        hidden = self.activation(self.first(x) + self.tell(told))
        return self.activation(self.second(hidden)) + self.skip(x)
