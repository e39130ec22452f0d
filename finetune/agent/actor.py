"""The two kinds of policy: deterministic as in TD3, and squashed Gaussian as in SAC. Actions are in [-1, 1].

Both answer the three questions that Algorithm 2 asks of a policy, each with the action `[B, action_dim]` and the log
density of it `[B]`, which is 0 for the deterministic one.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from finetune.agent.config import PolicyAndCritics


class _Network(nn.Module):
    """ReLU layers."""

    def __init__(self, obs_dim: int, hidden: Sequence[int], out_dim: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(i, o) for i, o in pairwise([obs_dim, *hidden, out_dim]))

    def forward(self, obs: Tensor) -> Tensor:
        """Map `[..., obs_dim]` to `[..., out_dim]`."""
        for layer in list(self.layers)[:-1]:
            obs = layer(obs).relu_()
        return self.layers[-1](obs)


class DeterministicActor(nn.Module):
    """a = tanh μ(s), with noise where it explores (Fujimoto et al., 2018).

    Args:
        obs_dim: Size of an observation.
        action_dim: Size of an action.
        hidden: Widths of the hidden layers.
        exploration_noise: Standard deviation of the noise on actions in the environment.
    """

    TARGET_NOISE, TARGET_NOISE_BOUND = 0.2, 0.5  # on the actions of TD targets, as TD3 has it

    def __init__(self, obs_dim: int, action_dim: int, hidden: Sequence[int], exploration_noise: float) -> None:
        super().__init__()
        self.mean = _Network(obs_dim, hidden, action_dim)
        self.exploration_noise = exploration_noise

    @property
    def entropy_coef(self) -> Tensor:
        """What entropy is worth: nothing."""
        return torch.zeros(())

    def entropy_loss(self, log_density: Tensor) -> Tensor:
        """No coefficient to learn."""
        return torch.zeros(())

    def mode(self, obs: Tensor) -> Tensor:
        """The best action for normalised observations `[..., obs_dim]`."""
        return self.mean(obs).tanh()

    def explore(self, obs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """An action to try in the environment."""
        mode = self.mode(obs)
        return (mode + self.exploration_noise * _normal(mode, generator)).clamp_(-1, 1)

    def target(self, obs: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """The action whose value a TD target takes: smoothed, so that the critic cannot be peaked."""
        mode = self.mode(obs)
        bound = self.TARGET_NOISE_BOUND
        noise = (self.TARGET_NOISE * _normal(mode, generator)).clamp_(-bound, bound)
        return (mode + noise).clamp_(-1, 1), mode.new_zeros(mode.shape[:-1])

    def improve(self, obs: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """The action to be improved, with its gradient."""
        mode = self.mode(obs)
        return mode, mode.new_zeros(mode.shape[:-1])


class GaussianActor(nn.Module):
    """a = tanh(μ(s) + σ(s) ε), whose entropy is held near `-action_dim` by a learned coefficient (Haarnoja, 2018).

    Args:
        obs_dim: Size of an observation.
        action_dim: Size of an action.
        hidden: Widths of the hidden layers.
    """

    LOG_STD = (-5.0, 2.0)

    def __init__(self, obs_dim: int, action_dim: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.network = _Network(obs_dim, hidden, 2 * action_dim)
        self.log_entropy_coef = nn.Parameter(torch.zeros(()))
        self.target_entropy = -float(action_dim)

    @property
    def entropy_coef(self) -> Tensor:
        """α: what a nat of entropy is worth, in units of the reward's scale."""
        return self.log_entropy_coef.detach().exp()

    def entropy_loss(self, log_density: Tensor) -> Tensor:
        """Raises α where the entropy is below its target, and lowers it above."""
        return -self.log_entropy_coef * (log_density.detach().mean() + self.target_entropy)

    def mode(self, obs: Tensor) -> Tensor:
        """The action of the mean, for normalised observations `[..., obs_dim]`."""
        return self.network(obs).chunk(2, dim=-1)[0].tanh()

    def explore(self, obs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """A sample."""
        return self.improve(obs, generator)[0]

    def target(self, obs: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """A sample and its log density."""
        return self.improve(obs, generator)

    def improve(self, obs: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """A sample and its log density, both with their gradient."""
        mean, spread = self.network(obs).chunk(2, dim=-1)
        low, high = self.LOG_STD
        log_std = low + (high - low) / 2 * (spread.tanh() + 1)
        noise = _normal(mean, generator)
        before = mean + log_std.exp() * noise
        # log(1 − tanh²x), without cancellation
        squash = 2 * (math.log(2) - before - F.softplus(-2 * before))
        log_density = -(0.5 * noise.square() + log_std + 0.5 * math.log(2 * math.pi) + squash).sum(-1)
        return before.tanh(), log_density


Actor = DeterministicActor | GaussianActor


def make_actor(config: PolicyAndCritics, obs_dim: int, action_dim: int) -> Actor:
    """The policy that the settings ask for."""
    if config.policy == "deterministic":
        return DeterministicActor(obs_dim, action_dim, config.actor_hidden, config.exploration_noise)
    return GaussianActor(obs_dim, action_dim, config.actor_hidden)


def _normal(like: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.randn(like.shape, generator=generator, device=like.device)
