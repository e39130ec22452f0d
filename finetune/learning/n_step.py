"""n-step returns inside episodes, made when a batch is read: what is stored is single steps.

R = Σ_{i<k} γⁱ r_{t+i}, bootstrapped with γᵏ from the observation after step t+k−1, where k is n, or less where the
episode ends before. `TERMINATED` makes the bootstrap 0; `TRUNCATED` does not (Pardo et al., 2018).
"""

from typing import NamedTuple

import torch
from torch import Tensor

GOES_ON, TRUNCATED, TERMINATED = 0, 1, 2
"""how a step leaves its episode, uint8"""


class NStep(NamedTuple):
    """The returns of B windows of n steps."""

    n_step_return: Tensor
    """`[B]`"""
    last: Tensor
    """`[B]`, int64: the step after whose observation the return bootstraps, counted from the first of its window"""
    bootstrap_discount: Tensor
    """`[B]`"""


def n_step(reward: Tensor, end: Tensor, discount: float) -> NStep:
    """Add up the rewards of windows of n steps, of each as far as its episode goes.

    Args:
        reward: `[B, n]`, of the steps of each window in order; those after an end are not looked at.
        end: `[B, n]`, uint8: `GOES_ON`, `TRUNCATED` or `TERMINATED`.
        discount: γ.
    """
    ends_before = (end != GOES_ON).cumsum(1) - (end != GOES_ON).long()
    counted = ends_before == 0
    total = torch.zeros_like(reward[:, 0])
    for i, (r, is_counted) in enumerate(zip(reward.unbind(1), counted.unbind(1), strict=True)):
        total = total + discount**i * (r * is_counted)
    steps = counted.sum(1)
    last = steps - 1
    terminated = end.gather(1, last.unsqueeze(1)).squeeze(1) == TERMINATED
    powers = torch.tensor([discount**k for k in range(reward.shape[1] + 1)], device=reward.device)
    return NStep(total, last, powers[steps] * ~terminated)
