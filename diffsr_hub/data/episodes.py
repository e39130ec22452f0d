"""Transitions with episode boundaries, gathered out of memory-mapped arrays."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from diffsr_hub.data.part import Part
from diffsr_hub.transitions import Transitions

_CHUNK_NUMBERS = 1 << 20  # in a chunk of observations: 8 MB in float64
_CONSTANT = 1e-6  # of a coordinate's own size: about what float32 resolves


class Moments(NamedTuple):
    """Mean and standard deviation, float32; the deviation is 1 where a coordinate does not vary."""

    obs_mean: Tensor
    """`[obs_dim]`"""
    obs_std: Tensor
    """`[obs_dim]`"""
    reward_mean: Tensor
    """`[]`"""
    reward_std: Tensor
    """`[]`"""


class Episodes:
    """One or several datasets of equal spaces, one after the other; nothing is copied.

    Args:
        parts: the datasets, in order.
        env_id: Gymnasium id of the environment, if the data names one.
        action_low: lowest original action, `[action_dim]`; None for discrete actions.
        action_high: highest original action.
        provenance: one JSON-able dict per dataset.
        tasks: the name of each dataset's task; None if all are of one.
        obs_parts: names and sizes of the parts of a nested observation, in order; None where it is one vector.
        image_shape: height, width and channels of the image in every observation; None where they are numbers.

    Attributes:
        num_parts: number of datasets.
        image_shape: height, width and channels of the image in every observation; None where they are numbers.
        obs_shape: of an observation: `(obs_dim,)`, or of an image or a stack of images.
        obs_dim: how many numbers an observation has.
        action_dim: length of a flat action.
        num_episodes: E, of all parts.
        num_transitions: N, of all parts.
        lengths: `[E]`, int64, steps per episode.
        starts: `[E]`, int64, the first transition of each episode; the others of the episode follow it.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        *,
        env_id: str | None = None,
        action_low: list[float] | None = None,
        action_high: list[float] | None = None,
        provenance: Sequence[dict[str, Any]] = (),
        tasks: Sequence[str] | None = None,
        obs_parts: Mapping[str, int] | None = None,
        image_shape: Sequence[int] | None = None,
    ) -> None:
        self.env_id, self.action_low, self.action_high = env_id, action_low, action_high
        self.provenance, self.obs_parts = list(provenance), dict(obs_parts or {})
        self.image_shape = None if image_shape is None else tuple(image_shape)
        self.obs_shape, self.action_dim = parts[0].obs_shape, parts[0].action.shape[1]
        self.obs_dim = math.prod(self.obs_shape)
        self.lengths = torch.cat([part.lengths for part in parts])
        self.starts = self.lengths.cumsum(0) - self.lengths
        self.num_episodes, self.num_transitions = len(self.lengths), int(self.lengths.sum())
        self.num_parts = len(parts)
        self._parts = list(parts)
        self._ends = torch.tensor([len(part.reward) for part in parts]).cumsum(0)
        names = list(tasks or [""] * len(parts))
        numbers = {name: i for i, name in enumerate(dict.fromkeys(names))}
        self._task = torch.tensor([numbers[name] for name in names])

    def transitions(self, index: Tensor) -> Transitions:
        """Gather a batch.

        Args:
            index: `[B]`, int64, each from 0 to `num_transitions - 1`.

        Returns:
            The transitions, `[B, ...]`, in the order of `index`.

        Raises:
            IndexError: an index is out of range.
        """
        return Transitions(*self._gathered(index, lambda part, inside, _: part.transitions(inside)))

    def observations(self, index: Tensor, ahead: Tensor) -> tuple[Tensor, Tensor]:
        """Gather observations some steps ahead, and the actions.

        Args:
            index: `[B]`, int64, transitions.
            ahead: `[B, K]`, int64; 0 is the observation before a transition, 1 the one after it. None may be behind the
                end of an episode.

        Returns:
            Observations `[B, K, ...]` and actions `[B, action_dim]`.
        """
        obs, action = self._gathered(
            index, lambda part, inside, where: (part.observations(inside, ahead[where]), part.action[inside])
        )
        return obs, action

    def _gathered(
        self, index: Tensor, gather: Callable[[Part, Tensor, Tensor | slice], Sequence[Tensor]]
    ) -> Sequence[Tensor]:
        """What `gather(part, index in it, places in the batch)` gives for each dataset, in the order of `index`."""
        if len(self._parts) == 1:
            return gather(self._parts[0], index, slice(None))
        owner = self._owner(index)
        order = torch.argsort(owner, stable=True)
        counts = torch.bincount(owner, minlength=len(self._parts)).tolist()
        first, gathered = 0, []
        for part, end, chosen in zip(self._parts, self._ends, torch.split(order, counts), strict=True):
            if len(chosen):
                gathered.append(gather(part, index[chosen] - first, chosen))
            first = int(end)
        back = torch.empty_like(order)
        back[order] = torch.arange(len(order))
        return [torch.cat(column).index_select(0, back) for column in zip(*gathered, strict=True)]

    @property
    def reward(self) -> Tensor:
        """`[N]`, of all transitions in order; of one dataset, mapped from its file."""
        return _one_after_another([part.reward for part in self._parts])

    @property
    def terminated(self) -> Tensor:
        """The same for whether the environment terminated, bool."""
        return _one_after_another([part.terminated for part in self._parts])

    def episode(self, i: int) -> Transitions:
        """All T transitions of episode `i`, in order: `[T, ...]`."""
        start = int(self.starts[i])
        return self.transitions(torch.arange(start, start + int(self.lengths[i])))

    def indices(self, episode_ids: Tensor) -> Tensor:
        """Indices of all transitions of some episodes.

        Args:
            episode_ids: `[M]`, int64.

        Returns:
            `[sum of their lengths]`, int64, episode after episode in the order given.
        """
        lengths = self.lengths[episode_ids]
        before = lengths.cumsum(0) - lengths
        return torch.repeat_interleave(self.starts[episode_ids] - before, lengths) + torch.arange(int(lengths.sum()))

    def by_task(self, index: Tensor) -> list[Tensor]:
        """Transitions `[B]` divided by the task they are of, in the order of the tasks; tasks without any are left out.

        Args:
            index: `[B]`, int64, each from 0 to `num_transitions - 1`.
        """
        return self._divided(index, index)

    def episodes_by_task(self, episode_ids: Tensor) -> list[Tensor]:
        """The same for episodes, `[M]`, int64, each from 0 to `num_episodes - 1`."""
        return self._divided(episode_ids, self.starts[episode_ids])

    def moments(self, episode_ids: Tensor) -> Moments:
        """Mean and standard deviation (of the population) of obs and reward over some episodes.

        Every task weighs the same, however many transitions it has. Computed in float64, chunk by chunk: the data
        need not fit in memory.

        Args:
            episode_ids: `[M]`, int64, at least one.
        """
        of_tasks = [_moments(self._chunks(ids)) for ids in self.episodes_by_task(episode_ids)]
        means, variances = (torch.stack(column) for column in zip(*of_tasks, strict=True))
        mean = means.mean(0)
        std = (variances + (means - mean).square()).mean(0).sqrt()
        std = torch.where(std <= _CONSTANT * mean.abs().clamp(min=1.0), 1.0, std)
        mean, std = mean.float(), std.float()
        return Moments(mean[:-1], std[:-1], mean[-1], std[-1])

    def _divided(self, items: Tensor, index: Tensor) -> list[Tensor]:
        """Items `[B]` divided by the task of the transition of each, `[B]`."""
        task = self._task[self._owner(index)]
        parts = [items[task == number] for number in range(int(self._task.max()) + 1)]
        return [part for part in parts if len(part)]

    def _owner(self, index: Tensor) -> Tensor:
        """Which dataset each transition is of, `[B]`."""
        return torch.bucketize(index, self._ends, right=True).clamp_(max=self.num_parts - 1)

    def _chunks(self, episode_ids: Tensor) -> Iterator[Tensor]:
        """Obs and reward side by side, `[n, obs_dim + 1]`."""
        for index in torch.split(self.indices(episode_ids), max(1, _CHUNK_NUMBERS // self.obs_dim)):
            batch = self.transitions(index)
            yield torch.cat((batch.obs, batch.reward.unsqueeze(-1)), dim=-1)


def _one_after_another(columns: Sequence[Tensor]) -> Tensor:
    return columns[0] if len(columns) == 1 else torch.cat(list(columns))


def _moments(chunks: Iterator[Tensor]) -> tuple[Tensor, Tensor]:
    """Mean and variance over the first axis, float64, chunks combined as by Chan et al. (1979)."""
    count, mean, squares = 0, torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    for chunk in chunks:
        values = chunk.double()
        chunk_mean = values.mean(0)
        shift, total = chunk_mean - mean, count + len(values)
        squares = squares + (values - chunk_mean).square().sum(0) + shift.square() * (count * len(values) / total)
        mean, count = mean + shift * (len(values) / total), total
    return mean, squares / count
