"""Transitions to learn from, one row each, so that a batch is a single gather."""

from typing import NamedTuple

import torch
from torch import Tensor

from diffsr_hub.errors import UserError


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


class Replay:
    """A ring of the newest rows, sampled uniformly with replacement.

    Args:
        capacity: Number of rows kept.
        obs_dim: Size of an observation.
        action_dim: Size of an action.

    Raises:
        UserError: So many rows do not fit into memory.
    """

    def __init__(self, capacity: int, obs_dim: int, action_dim: int) -> None:
        self.widths = [obs_dim, action_dim, 1, obs_dim, 1, obs_dim, 1]
        try:
            self.rows = torch.zeros(capacity, sum(self.widths))
        except RuntimeError as error:
            raise UserError(
                f"a replay buffer of {capacity:,} transitions has no place in memory; lower --capacity, or give less "
                "offline data"
            ) from error
        self.added = 0

    def __len__(self) -> int:
        return min(self.added, len(self.rows))

    def add(self, batch: Batch) -> None:
        """Append transitions; the oldest make room."""
        self.add_rows(torch.cat([c if c.ndim == 2 else c.unsqueeze(-1) for c in batch], dim=-1))

    def add_rows(self, rows: Tensor) -> None:
        """The same for rows that are joined already, `[B, …]`; of more than fit, the newest are kept."""
        self.added += max(0, len(rows) - len(self.rows))
        rows = rows[-len(self.rows) :]
        position = (self.added + torch.arange(len(rows))) % len(self.rows)
        self.rows[position] = rows
        self.added += len(rows)

    def newest(self, first: int) -> Tensor:
        """The rows added since there were `first` of them, as far as they are kept, oldest first."""
        first = max(first, self.added - len(self.rows))
        return self.rows[torch.arange(first, self.added) % len(self.rows)]

    def sample(self, size: int, generator: torch.Generator) -> Tensor:
        """Rows `[size, …]`, to be joined and split by `batch`."""
        return self.rows.index_select(0, torch.randint(len(self), (size,), generator=generator))

    def all(self) -> Batch:
        """Everything that is kept."""
        return self.batch(self.rows[: len(self)])

    def batch(self, rows: Tensor) -> Batch:
        """The columns of some rows."""
        columns = rows.split(self.widths, dim=-1)
        return Batch(*(column.squeeze(-1) if i in (2, 4, 6) else column for i, column in enumerate(columns)))
