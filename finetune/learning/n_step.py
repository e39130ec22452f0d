"""n-step returns inside episodes: the same for stored data and for an environment that is stepping.

R = Σ_{i<k} γⁱ r_{t+i}, bootstrapped with γᵏ from the observation after step t+k−1, where k is n, or less at the end of
an episode. `terminated` makes the bootstrap 0; truncation does not (Pardo et al., 2018).
"""

import torch

from diffsr_hub.transitions import Transitions
from finetune.learning.replay import Batch


def n_step(episode: Transitions, n: int, discount: float) -> Batch:
    """The transitions of one episode, or of its last steps, `[T, ...]` in order, with their n-step returns.

    Args:
        episode: Consecutive transitions, at whose end the episode ended (or the data did).
        n: Number of steps, at least 1.
        discount: γ.
    """
    length = len(episode.reward)
    steps = torch.arange(length)
    last = (steps + n - 1).clamp(max=length - 1)
    returns = torch.zeros(length)
    for i in range(min(n, length)):
        returns[: length - i] += discount**i * episode.reward[i:]
    return Batch(
        obs=episode.obs,
        action=episode.action,
        reward=episode.reward,
        next_obs=episode.next_obs,
        n_step_return=returns,
        bootstrap_obs=episode.next_obs[last],
        bootstrap_discount=discount ** (last - steps + 1).float() * ~episode.terminated[last],
    )


class NStepQueue:
    """The last steps of one environment, until n of them, or the end of the episode, make their rows complete."""

    def __init__(self, n: int, discount: float) -> None:
        self.n, self.discount = n, discount
        self.pending: list[Transitions] = []

    def push(self, step: Transitions, ended: bool) -> Batch | None:
        """Take one transition `[...]`; give the rows that are complete now, or None.

        Args:
            step: The newest transition, without a leading shape.
            ended: Whether the episode ended with it, by termination or truncation.
        """
        self.pending.append(step)
        if not ended and len(self.pending) < self.n:
            return None
        if not ended:
            return self._oldest()
        rows = n_step(Transitions(*map(torch.stack, zip(*self.pending, strict=True))), self.n, self.discount)
        self.pending = []
        return rows

    def _oldest(self) -> Batch:
        """The row of the oldest step, whose n steps are all there and none of which ended the episode."""
        first, last = self.pending[0], self.pending[-1]
        steps_return = torch.zeros(())
        for i, step in enumerate(self.pending):
            steps_return = steps_return + self.discount**i * step.reward
        self.pending = self.pending[1:]
        bootstrap = torch.tensor(self.discount).pow(self.n)
        row = (first.obs, first.action, first.reward, first.next_obs, steps_return, last.next_obs, bootstrap)
        return Batch(*(column.unsqueeze(0) for column in row))
