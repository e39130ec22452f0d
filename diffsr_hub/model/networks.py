"""Building blocks shared by ψ, ν and the heads."""

from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

LEAK = 0.1
"""Slope of the activations below zero. Of 256 plain ReLUs in the last hidden layer, 204 were dead after 20,000 updates
on Hopper, and the numerical rank of ψ was 66 of 128; a leaky unit costs no more time and goes on learning."""


class MLP(nn.Module):
    """A plain leaky-ReLU network beside one linear map: `f(x) = MLP(x) + A x`.

    Most of a next state is linear in the state and the action. The linear path carries that part from the first
    update, so that the other layers can spend themselves on contacts, where the dynamics has kinks.

    Args:
        in_dim: Size of the input's last axis.
        hidden: Widths of the hidden layers, at least one.
        out_dim: Size of the output's last axis.
    """

    def __init__(self, in_dim: int, hidden: Sequence[int], out_dim: int) -> None:
        super().__init__()
        sizes = [in_dim, *hidden, out_dim]
        self.layers = nn.ModuleList(nn.Linear(i, o) for i, o in pairwise(sizes))
        self.linear = nn.Linear(in_dim, out_dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map `[..., in_dim]` to `[..., out_dim]`."""
        hidden = x
        for layer in list(self.layers)[:-1]:
            hidden = F.leaky_relu(layer(hidden), LEAK, inplace=True)
        return self.layers[-1](hidden) + self.linear(x)


class ResidualMLP(nn.Module):
    """The residual network of the Diff-SR authors' code: blocks of LayerNorm, linear, Mish, added to their input.

    Args:
        in_dim: Size of the input's last axis.
        hidden: Widths of the blocks, all equal.
        out_dim: Size of the output's last axis.
    """

    def __init__(self, in_dim: int, hidden: Sequence[int], out_dim: int) -> None:
        super().__init__()
        if len(set(hidden)) != 1:
            raise ValueError(f"residual blocks need one common width, got {tuple(hidden)}")
        self.embed = nn.Linear(in_dim, hidden[0])
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in hidden)
        self.layers = nn.ModuleList(nn.Linear(width, width) for width in hidden)
        self.out = nn.Linear(hidden[-1], out_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map `[..., in_dim]` to `[..., out_dim]`."""
        hidden = self.embed(x)
        for norm, layer in zip(self.norms, self.layers, strict=True):
            hidden = hidden + F.mish(layer(norm(hidden)))
        return self.out(hidden)
