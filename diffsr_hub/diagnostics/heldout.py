"""A bounded sample of some episodes, with the Monte-Carlo return of every step."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from diffsr_hub.data.episodes import Episodes
from diffsr_hub.errors import UserError
from diffsr_hub.transitions import Transitions

_READ_PER_KEPT = 10  # transitions read for every one kept: more episodes, and so more independent rows


class Sample(NamedTuple):
    """N transitions, grouped by episode, the episodes in random order."""

    batch: Transitions
    """`[N, ...]`"""
    returns: Tensor
    """`[N]`, float64: discounted sum of the rewards to the end of the episode"""
    known: Tensor
    """`[N]`, bool: whether that is the return, or misses too much behind a time limit"""
    num_episodes: int

    def thin(self, limit: int) -> Transitions:
        """At most `limit` transitions, evenly spread over the episodes."""
        count = len(self.returns)
        index = torch.arange(count) if count <= limit else torch.arange(limit) * count // limit
        return Transitions(*(column[index] for column in self.batch))


def draw_sample(episodes: Episodes, ids: Tensor, *, limit: int, discount: float, seed: int) -> Sample:
    """Draw transitions uniformly from randomly chosen episodes.

    Args:
        episodes: The data.
        ids: `[M]`, int64, episodes to draw from.
        limit: Most transitions to return; ten times as many are read.
        discount: Of the return.
        seed: The same seed gives the same sample.

    Raises:
        UserError: There are no episodes.
    """
    if len(ids) == 0:
        raise UserError("diagnostics need at least one training and one held-out episode: collect more episodes")
    generator = torch.Generator().manual_seed(seed)
    chosen = ids[torch.randperm(len(ids), generator=generator)]
    read_before = episodes.lengths[chosen].cumsum(0) - episodes.lengths[chosen]
    chosen = chosen[read_before < _READ_PER_KEPT * limit]
    index = episodes.indices(chosen)
    kept = torch.randperm(len(index), generator=generator)[:limit].sort().values
    columns = [_returns(episodes.episode(i), discount) for i in chosen.tolist()]
    returns, known = (torch.cat(column)[kept] for column in zip(*columns, strict=True))
    return Sample(episodes.transitions(index[kept]), returns, known, len(chosen))


def discounted_returns(reward: Sequence[float], discount: float) -> list[float]:
    """Σ_k discount^k r_{t+k} for every step t of one episode."""
    returns, following = [0.0] * len(reward), 0.0
    for t in reversed(range(len(reward))):
        following = reward[t] + discount * following
        returns[t] = following
    return returns


def steps_without_return(length: int, discount: float, *, terminated: bool) -> int:
    """Steps at the end of an episode whose return is not known.

    None if the environment ended it. If a time limit did, the rewards behind it are missing: the last
    2 / (1 − discount) steps, for which these have more than e⁻² of the weight, but never more than half of the episode.
    """
    return 0 if terminated else min(round(2 / (1 - discount)), length // 2)


def _returns(episode: Transitions, discount: float) -> tuple[Tensor, Tensor]:
    """Returns and whether they are known, both `[T]`."""
    returns = torch.tensor(discounted_returns(episode.reward.tolist(), discount), dtype=torch.float64)
    unknown = steps_without_return(len(returns), discount, terminated=bool(episode.terminated[-1]))
    return returns, torch.arange(len(returns)) < len(returns) - unknown
