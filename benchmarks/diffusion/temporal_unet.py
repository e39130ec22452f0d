"""Denoisers of sequences: Diffuser's U-Net over time (arXiv 2205.09991), and the half of it that estimates returns."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.diffusion.denoisers import Activation, Waves, mlp


class TemporalUNet(nn.Module):
    """(x_k, time of k, condition) → what is predicted, `[B, H, channels]`; H is a multiple of 2 to the halvings.

    Args:
        channels: Numbers at each step of a sequence.
        dim: Channels of the first level.
        multipliers: Channels of each level, in units of `dim`; every level after the first halves the sequence.
        activation: Of all layers.
        given: Numbers at each step that are known and not denoised, beside x.
        condition: Numbers that describe the whole sequence; 0 for none.
    """

    def __init__(
        self,
        channels: int,
        dim: int,
        multipliers: Sequence[int],
        activation: Activation,
        *,
        given: int = 0,
        condition: int = 0,
    ) -> None:
        super().__init__()
        told = 2 * dim if condition else dim
        self.embed = nn.Sequential(Waves(dim), *mlp([dim, 4 * dim, dim], activation))
        self.condition = mlp([condition, dim, 4 * dim, dim], activation) if condition else None
        widths = [channels + given, *(dim * factor for factor in multipliers)]
        pairs = list(pairwise(widths))

        def two(size: int, width: int) -> nn.ModuleList:
            return nn.ModuleList([_Block(size, width, told, activation), _Block(width, width, told, activation)])

        self.down = nn.ModuleList(two(size, width) for size, width in pairs)
        self.shorten = nn.ModuleList(nn.Conv1d(width, width, 3, 2, 1) for _, width in pairs[:-1])
        self.middle = two(widths[-1], widths[-1])
        self.up = nn.ModuleList(two(2 * width, size) for size, width in reversed(pairs[1:]))
        self.lengthen = nn.ModuleList(nn.ConvTranspose1d(size, size, 4, 2, 1) for size, _ in reversed(pairs[1:]))
        self.last = nn.Sequential(_convolution(widths[1], widths[1], activation), nn.Conv1d(widths[1], channels, 1))

    def forward(
        self,
        x: Tensor,
        time: Tensor,
        condition: Tensor | None = None,
        told: Tensor | None = None,
        given: Tensor | None = None,
    ) -> Tensor:
        """Predict.

        Args:
            x: `[B, H, channels]`.
            time: `[B]`.
            condition: `[B, condition]`, where there is one.
            told: `[B]`, bool: which sequences are told theirs; the others are denoised without (arXiv 2207.12598).
            given: `[B, H, given]`, where there is something.
        """
        embedded = self._embedded(time, condition, told)
        x = (x if given is None else torch.cat([x, given], -1)).transpose(1, 2)
        skips = []
        for level, blocks in enumerate(self.down):
            x = _through(blocks, x, embedded)
            skips.append(x)
            x = self.shorten[level](x) if level < len(self.shorten) else x
        x = _through(self.middle, x, embedded)
        for blocks, double in zip(self.up, self.lengthen, strict=True):
            x = double(_through(blocks, torch.cat([x, skips.pop()], 1), embedded))
        return self.last(x).transpose(1, 2)

    def _embedded(self, time: Tensor, condition: Tensor | None, told: Tensor | None) -> Tensor:
        embedded = self.embed(time)
        if self.condition is None or condition is None:
            return embedded
        about = self.condition(condition)
        return torch.cat([embedded, about if told is None else about * told.unsqueeze(-1)], -1)


class ReturnNet(nn.Module):
    """(x_k, time of k) → the return of the sequence, `[B]`: the way down of the U-Net, and a head.

    Args:
        channels: Numbers at each step of a sequence.
        horizon: H, steps of a sequence.
        dim: As of the U-Net.
        multipliers: As of the U-Net; here every level halves the sequence.
        activation: Of all layers.
    """

    def __init__(
        self, channels: int, horizon: int, dim: int, multipliers: Sequence[int], activation: Activation
    ) -> None:
        super().__init__()
        self.embed = nn.Sequential(Waves(dim), *mlp([dim, 4 * dim, dim], activation))
        widths = [channels, *(dim * factor for factor in multipliers)]
        size, half, quarter = widths[-1], widths[-1] // 2, widths[-1] // 4
        levels = [[i, o, o] for i, o in pairwise(widths)] + [[size, half], [half, quarter]]
        self.blocks = nn.ModuleList(
            nn.ModuleList(_Block(i, o, dim, activation) for i, o in pairwise(level)) for level in levels
        )
        self.shorten = nn.ModuleList(nn.Conv1d(level[-1], level[-1], 3, 2, 1) for level in levels)
        for _ in levels:
            horizon = (horizon + 1) // 2
        features = quarter * horizon
        self.head = mlp([features + dim, features // 2, 1], activation)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Of x `[B, H, channels]` and times `[B]`."""
        embedded, x = self.embed(time), x.transpose(1, 2)
        for blocks, halve in zip(self.blocks, self.shorten, strict=True):
            x = halve(_through(blocks, x, embedded))
        return self.head(torch.cat([x.flatten(1), embedded], -1)).squeeze(-1)


class _Block(nn.Module):
    """Two convolutions, the first of which is told something, beside a skip."""

    def __init__(self, size: int, width: int, told: int, activation: Activation) -> None:
        super().__init__()
        self.first, self.second = _convolution(size, width, activation), _convolution(width, width, activation)
        self.tell = nn.Sequential(activation(), nn.Linear(told, width))
        self.skip = nn.Identity() if size == width else nn.Conv1d(size, width, 1)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        hidden = self.first(x) + self.tell(told).unsqueeze(-1)
        return self.second(hidden) + self.skip(x)


def _convolution(size: int, width: int, activation: Activation) -> nn.Sequential:
    return nn.Sequential(nn.Conv1d(size, width, 5, padding=2), nn.GroupNorm(8, width), activation())


def _through(blocks: nn.Module, x: Tensor, told: Tensor) -> Tensor:
    for block in blocks.children():
        x = block(x, told)
    return x


def guided(network: TemporalUNet, x: Tensor, time: Tensor, condition: Tensor, weight: float, **more: Tensor) -> Tensor:
    """ε_∅ + w (ε_c − ε_∅), both as one batch of twice the size.

    Args:
        network: With a condition.
        x: `[B, H, channels]`.
        time: `[B]`.
        condition: `[B, condition]`.
        weight: w.
        more: Other inputs of the network, `[B, …]`.
    """
    count = len(x)
    told = torch.arange(2 * count) < count
    twice = {name: torch.cat([value, value]) for name, value in more.items()}
    both = network(torch.cat([x, x]), torch.cat([time, time]), torch.cat([condition, condition]), told, **twice)
    conditional, without = both.split(count)
    return torch.lerp(without, conditional, weight)


def weighted_error(predicted: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Mean squared error with weights `[H, channels]` or of fewer dimensions."""
    return (F.mse_loss(predicted, target, reduction="none") * weight).mean()
