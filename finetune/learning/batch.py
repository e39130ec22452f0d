"""The batch that the updates of Algorithm 2 read."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Batch(NamedTuple):
    """Transitions as the losses need them; leading shape `[B]`."""

    obs: Tensor
    """`[B, obs_dim]`, raw"""
    action: Tensor
    """`[B, action_dim]`, in [-1, 1]"""
    reward: Tensor
    """`[B]`, of this step"""
    next_obs: Tensor
    """`[B, obs_dim]`, raw, one step later"""
    n_step_return: Tensor
    """`[B]`, Σ γⁱ r over up to n steps of the episode"""
    bootstrap_obs: Tensor
    """`[B, obs_dim]`, raw, after those steps"""
    bootstrap_discount: Tensor
    """`[B]`, γ to the number of those steps; 0 where the environment terminated in them"""
    imitated: int = 0
    """How many of the last transitions come from behaviour that may be worth imitating."""
    imitation_coef: float = 0.0
    """Weight of imitating them."""

    @property
    def columns(self) -> tuple[Tensor, ...]:
        """The tensors, without what is said of the batch as a whole."""
        return self[:7]

    def map(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        """The same batch with every column changed."""
        return Batch._make([*map(change, self.columns), *self[7:]])


class Scale(NamedTuple):
    """The size of what is seen in data, by which a learner brings it to order one."""

    reward: Tensor
    """`[]`, mean of the absolute rewards"""
    obs_mean: Tensor
    """`[obs_dim]`"""
    obs_std: Tensor
    """`[obs_dim]`, of the population"""


def joined(batches: Sequence[Batch]) -> Batch:
    """Several batches as one, in their order; what is said of imitation is the last one's."""
    if len(batches) == 1:
        return batches[0]
    columns = map(torch.cat, zip(*(batch.columns for batch in batches), strict=True))
    return Batch._make([*columns, *batches[-1][7:]])
