"""Critics beside a diffusion: a twin Q, and the value of a state by expectile regression (IQL)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.diffusion.denoisers import Activation, mlp


class TwinQ(nn.Module):
    """Two critics of (s, a)."""

    def __init__(self, obs_dim: int, action_dim: int, width: int, layers: int, activation: Activation) -> None:
        super().__init__()
        sizes = [obs_dim + action_dim, *[width] * layers, 1]
        self.critics = nn.ModuleList(mlp(sizes, activation) for _ in range(2))

    def forward(self, obs: Tensor, action: Tensor) -> Tensor:
        """Both values, `[2, B]`."""
        pair = torch.cat([obs, action], -1)
        return torch.stack([critic(pair).squeeze(-1) for critic in self.critics])


def bootstrapped(reward: Tensor, discount: Tensor, values: Tensor) -> Tensor:
    """R + γ min_i Q_i, `[B]`, for values `[2, B]`; the discount is 0 where the environment terminated."""
    return reward + discount * values.amin(0)


def both_errors(values: Tensor, target: Tensor) -> Tensor:
    """Mean squared error of two critics `[2, B]`, added."""
    return F.mse_loss(values, target.expand_as(values)) * 2


def expectile_loss(error: Tensor, expectile: float) -> Tensor:
    """Mean of |τ − 1(error < 0)| error²."""
    return ((expectile - (error < 0).float()).abs() * error.square()).mean()
