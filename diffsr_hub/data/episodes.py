"""Transitions with episode boundaries, gathered out of memory-mapped arrays."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from diffsr_hub.data.images import Stack
from diffsr_hub.errors import UserError
from diffsr_hub.transitions import Transitions

_CHUNK_NUMBERS = 1 << 20  # in a chunk of observations: 8 MB in float64
_ALONE = Stack()
_CONSTANT = 1e-6  # of a coordinate's own size: about what float32 resolves


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

    def _first(self, index: Tensor) -> Tensor:
        """The first frame of the episode of each transition, `[B]`."""
        ends = self.lengths.cumsum(0)
        episode = torch.bucketize(index, ends, right=True)
        return (ends - self.lengths + torch.arange(len(ends))).index_select(0, episode)


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
        if len(self._parts) == 1:
            return self._parts[0].transitions(index)
        owner = self._owner(index)
        order = torch.argsort(owner, stable=True)
        counts = torch.bincount(owner, minlength=len(self._parts)).tolist()
        first, gathered = 0, []
        for part, end, chosen in zip(self._parts, self._ends, torch.split(index[order], counts), strict=True):
            if len(chosen):
                gathered.append(part.transitions(chosen - first))
            first = int(end)
        back = torch.empty_like(order)
        back[order] = torch.arange(len(order))
        return Transitions(*(torch.cat(column).index_select(0, back) for column in zip(*gathered, strict=True)))

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


def split_by_episode(episodes: Episodes, validation_fraction: float, seed: int) -> tuple[Tensor, Tensor]:
    """Split into training and validation by whole episodes, as neighbouring transitions are nearly copies.

    Args:
        episodes: to split, each task for itself.
        validation_fraction: of the episodes, between 0 and 1; neither side is left empty if a task has two episodes.
        seed: the same seed gives the same split.

    Returns:
        Episode indices of training and of validation, int64, sorted, disjoint, together all.

    Raises:
        UserError: the fraction is not between 0 and 1.
    """
    if not 0.0 < validation_fraction < 1.0:
        raise UserError(f"the validation fraction must be between 0 and 1, not {validation_fraction}")
    generator = torch.Generator().manual_seed(seed)
    sides = [
        _split(ids, validation_fraction, generator)
        for ids in episodes.episodes_by_task(torch.arange(episodes.num_episodes))
    ]
    training, validation = (torch.cat(side).sort().values for side in zip(*sides, strict=True))
    return training, validation


def _split(ids: Tensor, validation_fraction: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    count = len(ids)
    held_out = min(max(round(count * validation_fraction), 1), count - 1)
    order = ids[torch.randperm(count, generator=generator)]
    return order[held_out:], order[:held_out]


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
