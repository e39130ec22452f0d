"""n-step returns inside episodes, made when a batch is read: what is stored is single steps.

R = Σ_{i<k} γⁱ r_{t+i}, bootstrapped with γᵏ from the observation after step t+k−1, where k is n, or less where the
episode ends before. `TERMINATED` makes the bootstrap 0; `TRUNCATED` does not (Pardo et al., 2018).
"""

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

GOES_ON, TRUNCATED, TERMINATED = 0, 1, 2
"""how a step leaves its episode"""


class NStep(NamedTuple):
    """The returns of B windows of n steps."""

    n_step_return: Tensor
    """`[B]`"""
    last: Tensor
    """`[B]`, int64: the step after whose observation the return bootstraps, counted from the first of its window"""
    end: Tensor
    """`[B]`, how that step leaves its episode"""
    bootstrap_discount: Tensor
    """`[B]`"""


def n_step(reward: Tensor, end: Tensor, discount: float) -> NStep:
    """Add up the rewards of windows of n steps, of each as far as its episode goes.

    Args:
        reward: `[B, n]`, of the steps of each window in order; those after an end are not looked at.
        end: `[B, n]`, of any type: `GOES_ON`, `TRUNCATED` or `TERMINATED`.
        discount: γ.
    """
    n = reward.shape[1]
    if not end.any():  # most windows lie inside an episode, and need a third of the operations
        last = torch.full_like(end[:, 0], n - 1, dtype=torch.long)
        return NStep(_total(reward, discount), last, end[:, -1], torch.full_like(reward[:, 0], discount**n))
    counted = end.cumsum(1) - end == 0
    last = counted.sum(1) - 1
    at_last = end.gather(1, last.unsqueeze(1)).squeeze(1)
    bootstrap_discount = _powers(discount, n, reward.device).index_select(0, last) * (at_last != TERMINATED)
    return NStep(_total(reward * counted, discount), last, at_last, bootstrap_discount)


@lru_cache
def _powers(discount: float, n: int, device: torch.device) -> Tensor:
    """γ, γ² and so on up to γⁿ, `[n]`."""
    return torch.tensor([discount**k for k in range(1, n + 1)], device=device)


def _total(reward: Tensor, discount: float) -> Tensor:
    """Σ γⁱ r, `[B]`, of rewards `[B, n]`."""
    total, *others = reward.unbind(1)
    for i, r in enumerate(others, start=1):
        total = total + discount**i * r
    return total
