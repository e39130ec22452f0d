"""Offline data as the diffusion systems read it: transitions, windows of episodes, returns to go, normalised."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from diffsr_hub.data import Episodes
from diffsr_hub.transitions import Transitions

QUANTILES = 256


class Window(NamedTuple):
    """H steps of an episode each; after its end the last observation is repeated, with actions and rewards of 0."""

    obs: Tensor
    """`[B, H, obs_dim]`, raw"""
    action: Tensor
    """`[B, H, action_dim]`"""
    reward: Tensor
    """`[B, H]`"""
    over: Tensor
    """`[B, H]`, bool: whether the episode terminated before this step"""


@dataclass(frozen=True)
class Data:
    """The episodes of a dataset, one after the other, in memory.

    Args:
        steps: All transitions, `[N, …]`.
        lengths: `[E]`, int64, steps of each episode.
        low: Lowest action of the environment, `[action_dim]`.
        high: Highest.
    """

    steps: Transitions
    lengths: Tensor
    low: Tensor
    high: Tensor

    @classmethod
    def of(cls, episodes: Episodes) -> "Data":
        """Of a dataset as `diffsr_hub.data.load` opens it."""
        low, high = episodes.action_low, episodes.action_high
        bounds = [torch.tensor(bound or [sign] * episodes.action_dim) for bound, sign in ((low, -1.0), (high, 1.0))]
        return cls(episodes.transitions(torch.arange(episodes.num_transitions)), episodes.lengths, *bounds)

    def __len__(self) -> int:
        return len(self.steps.reward)

    @property
    def obs_dim(self) -> int:
        """Size of an observation."""
        return self.steps.obs.shape[1]

    @property
    def action_dim(self) -> int:
        """Size of an action."""
        return self.steps.action.shape[1]

    @cached_property
    def last(self) -> Tensor:
        """`[N]`, the last transition of each one's episode."""
        return torch.repeat_interleave(self.lengths.cumsum(0) - 1, self.lengths)

    @cached_property
    def episode_returns(self) -> Tensor:
        """`[N]`, the return of each transition's episode, undiscounted."""
        number = torch.repeat_interleave(torch.arange(len(self.lengths)), self.lengths)
        return torch.zeros(len(self.lengths)).index_add_(0, number, self.steps.reward)[number]

    def returns_to_go(self, discount: float, fall: float = 0.0) -> Tensor:
        """`[N]`, Σ γⁱ r to the end of each transition's episode; `fall` is added to the reward of a termination."""
        reward = self.steps.reward + fall * self.steps.terminated
        return accumulated(reward, self.last, discount)

    def draw(self, size: int, generator: torch.Generator) -> Tensor:
        """Numbers of transitions, `[size]`."""
        return torch.randint(len(self), (size,), generator=generator)

    def transitions(self, index: Tensor) -> Transitions:
        """The transitions of some numbers `[B]`."""
        return Transitions(*(column[index] for column in self.steps))

    def starts(self, horizon: int) -> Tensor:
        """Transitions from which a window is known: it fits into the episode, or the episode terminates in it."""
        fits = torch.arange(len(self)) + horizon - 1 <= self.last
        return (fits | self.steps.terminated[self.last]).nonzero().squeeze(1)

    def windows(self, index: Tensor, horizon: int) -> Window:
        """Windows that start at some transitions `[B]`."""
        wanted, last = index.unsqueeze(1) + torch.arange(horizon), self.last[index].unsqueeze(1)
        row, inside = wanted.minimum(last), wanted <= last
        steps = self.transitions(row)
        obs = torch.where(inside.unsqueeze(-1), steps.obs, steps.next_obs)
        return Window(
            obs, steps.action * inside.unsqueeze(-1), steps.reward * inside, ~inside & self.steps.terminated[last]
        )


def accumulated(reward: Tensor, last: Tensor, discount: float) -> Tensor:
    """Σ γⁱ r from every transition `[N]` to the last one of its episode, `[N]`."""
    total, following = torch.zeros_like(reward, dtype=torch.float64), 0.0
    rewards, ends = reward.tolist(), (last == torch.arange(len(last))).tolist()
    for i in range(len(rewards) - 1, -1, -1):
        following = rewards[i] + discount * following * (not ends[i])
        total[i] = following
    return total.float()


class Normaliser(Protocol):
    """Brings numbers `[…, D]` to the size that a diffusion wants, and back."""

    def __call__(self, x: Tensor) -> Tensor:
        """Normalised."""

    def back(self, x: Tensor) -> Tensor:
        """In their own units."""


class Gaussian:
    """Mean 0 and standard deviation 1 in every dimension of rows `[N, D]`."""

    def __init__(self, rows: Tensor) -> None:
        self.mean, std = rows.mean(0), rows.std(0, correction=0)
        self.std = torch.where(std < 1e-4, 1.0, std)

    def __call__(self, x: Tensor) -> Tensor:
        """Normalised."""
        return (x - self.mean) / self.std

    def back(self, x: Tensor) -> Tensor:
        """In their own units."""
        return x * self.std + self.mean


class Uniform:
    """Uniform on [-1, 1] in every dimension of rows `[N, D]`, by their quantiles; nothing lies outside."""

    def __init__(self, rows: Tensor) -> None:
        share = torch.linspace(0, 1, QUANTILES, dtype=torch.float64)
        knots = rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))[:100_000]].double()
        knots = knots.quantile(share, dim=0) + 1e-9 * torch.arange(QUANTILES).unsqueeze(1)  # none are equal
        self.knots, self.share = knots.T.contiguous(), (2 * share - 1).expand(rows.shape[1], -1).contiguous()

    def __call__(self, x: Tensor) -> Tensor:
        """Normalised."""
        return _interpolated(x, self.knots, self.share)

    def back(self, x: Tensor) -> Tensor:
        """In their own units."""
        return _interpolated(x, self.share, self.knots)


def _interpolated(x: Tensor, at: Tensor, values: Tensor) -> Tensor:
    """The broken lines through (at, values), each `[D, Q]`, at x `[…, D]`; constant outside."""
    flat = x.reshape(-1, x.shape[-1]).T.double().contiguous()
    right = torch.searchsorted(at, flat).clamp(1, at.shape[1] - 1)
    x0, x1 = at.gather(1, right - 1), at.gather(1, right)
    y0, y1 = values.gather(1, right - 1), values.gather(1, right)
    share = ((flat - x0) / (x1 - x0)).clamp(0, 1)
    return torch.lerp(y0, y1, share).T.reshape(x.shape).float()
