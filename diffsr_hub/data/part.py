"""One dataset as arrays: every observation once, and the transitions between them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from diffsr_hub.data.images import Stack
from diffsr_hub.transitions import Transitions

_ALONE = Stack()


@dataclass(frozen=True)
class Part:
    """One dataset of E episodes and N transitions."""

    frames: Tensor
    """`[N + E, obs_dim]`, or uint8 images `[N + E, height, width, channels]`: the T+1 observations of every episode"""
    action: Tensor
    """`[N, action_dim]`"""
    reward: Tensor
    """`[N]`"""
    terminated: Tensor
    """`[N]`, bool"""
    row: Tensor
    """`[N]`, int64: the frame of each transition's obs; its next_obs is the next frame"""
    lengths: Tensor
    """`[E]`, int64: steps per episode"""
    stack: Stack = _ALONE
    """how frames become observations"""

    @property
    def obs_shape(self) -> tuple[int, ...]:
        """Of an observation."""
        frame = tuple(self.frames.shape[1:])
        return frame if self.stack.frames == 1 else (self.stack.frames, *frame)

    def transitions(self, index: Tensor) -> Transitions:
        """Gather transitions, index `[B]`."""
        row = self.row.index_select(0, index)
        first = row if self.stack.frames == 1 else self._first(index)
        return Transitions(
            obs=self.stack.gather(self.frames, row, first),
            action=self.action.index_select(0, index),
            reward=self.reward.index_select(0, index),
            next_obs=self.stack.gather(self.frames, row + 1, first),
            terminated=self.terminated.index_select(0, index),
        )

    def observations(self, index: Tensor, ahead: Tensor) -> Tensor:
        """Gather observations `[B, K, ...]` of transitions `[B]`: those `ahead` steps, `[B, K]`, in their episodes."""
        row = self.row.index_select(0, index).unsqueeze(1) + ahead
        first = row if self.stack.frames == 1 else self._first(index).unsqueeze(1).expand_as(row)
        return self.stack.gather(self.frames, row.view(-1), first.reshape(-1)).unflatten(0, row.shape)

    def _first(self, index: Tensor) -> Tensor:
        """The first frame of the episode of each transition, `[B]`."""
        ends = self.lengths.cumsum(0)
        episode = torch.bucketize(index, ends, right=True)
        return (ends - self.lengths + torch.arange(len(ends))).index_select(0, episode)
