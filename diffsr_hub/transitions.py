"""The batch that every part of the project speaks."""

from typing import NamedTuple

from torch import Tensor


class Transitions(NamedTuple):
    """A batch of transitions of a Markov decision process, raw and unnormalised, float32.

    Leading shapes are free and equal: `[]`, `[B]` or `[B, T]`.
    """

    obs: Tensor
    """`[..., obs_dim]`"""
    action: Tensor
    """`[..., action_dim]`, rescaled to [-1, 1] by the bounds of the action space; one-hot if it is discrete."""
    reward: Tensor
    """`[...]`"""
    next_obs: Tensor
    """`[..., obs_dim]`, the successor inside the same episode, also at its end."""
    terminated: Tensor
    """`[...]`, bool; true where the environment ended the episode. Truncation is not termination."""
