"""Ready-made batches for Algorithm 1: transitions, noise levels and noise, all functions of (seed, step).

Nothing has to be remembered to resume: step 1,234 of seed 0 is the same batch in every run, in the middle of a run
as at its start, on one process or split over several.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from diffsr_hub.data import Episodes
from diffsr_hub.transitions import Transitions

MAX_VALIDATION = 10_000
"""Transitions of a validation, at most: each level gets as many."""

GOLDEN = 2_654_435_769
"""2³² over the golden ratio: the seeds that the steps of two runs use stay far apart."""


class NoisyBatch(NamedTuple):
    """What one update reads."""

    transitions: Transitions
    """`[B]` transitions."""
    level: Tensor
    """`[B]`, int64, the noise level of each."""
    noise: Tensor
    """`[B, size]`, standard normal, of the size of the vector that the diffusion predicts."""


def stratified_levels(size: int, num_levels: int, generator: torch.Generator) -> Tensor:
    """`[size]` levels, each uniform over 0..K−1, spread evenly over a batch: the loss varies less between batches."""
    offset = torch.rand((), generator=generator)
    return ((offset + torch.arange(size) / size) % 1.0 * num_levels).long().clamp(max=num_levels - 1)


class Batches(IterableDataset[NoisyBatch]):
    """An endless stream of training batches that starts at any step; every task has an equal share of each.

    As many batches are gathered at once as there are datasets: each has its own files, and a call for every one of them
    would cost as much as the update.

    Args:
        episodes: The data.
        index: `[N]`, the training transitions.
        batch_size: Over all processes.
        num_levels: Number K of noise levels.
        noise_dim: Size of the vector that the diffusion predicts.
        seed: Of everything that is drawn.
        first_step: Asked when iteration starts.
        rank: This process.
        world_size: Number of processes; each gets every `world_size`-th sample of the same global batch.
    """

    def __init__(
        self,
        episodes: Episodes,
        index: Tensor,
        *,
        batch_size: int,
        num_levels: int,
        noise_dim: int,
        seed: int,
        first_step: Callable[[], int],
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        of_tasks = episodes.by_task(index)
        self.episodes, self.index = episodes, torch.cat(of_tasks)
        self.sizes = torch.tensor([len(part) for part in of_tasks])
        self.starts = self.sizes.cumsum(0) - self.sizes
        self.batch_size, self.num_levels, self.noise_dim, self.seed = batch_size, num_levels, noise_dim, seed
        self.first_step, self.rank, self.world_size = first_step, rank, world_size
        self.generator = torch.Generator()

    def batch(self, step: int) -> NoisyBatch:
        """This process's share of the batch of one step."""
        return self.batches(step, 1)[0]

    def batches(self, step: int, count: int) -> list[NoisyBatch]:
        """This process's shares of the batches of some steps, gathered at once."""
        drawn = [self._draw(step + i) for i in range(count)]
        gathered = self.episodes.transitions(torch.cat([index for index, _, _ in drawn]))
        size = self.batch_size // self.world_size
        rows = zip(*(torch.split(column, size) for column in gathered), strict=True)
        return [
            NoisyBatch(Transitions(*columns), level, noise)
            for columns, (_, level, noise) in zip(rows, drawn, strict=True)
        ]

    def __iter__(self) -> Iterator[NoisyBatch]:
        step = self.first_step()
        while True:
            yield from self.batches(step, self.episodes.num_parts)
            step += self.episodes.num_parts

    def _draw(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """Of this process's share: the transitions' indices, the levels and the noise."""
        generator = self.generator.manual_seed((self.seed * GOLDEN + step) % 2**32)
        chosen = self._choose(generator)
        level = stratified_levels(self.batch_size, self.num_levels, generator)
        noise = torch.randn(self.batch_size, self.noise_dim, generator=generator)
        share = slice(self.rank, None, self.world_size)
        return self.index[chosen[share]], level[share], noise[share]

    def _choose(self, generator: torch.Generator) -> Tensor:
        """`[B]` places in `index`: of every task as many as of the others, or one more, in random order."""
        tasks = len(self.sizes)
        if tasks == 1:
            return torch.randint(len(self.index), (self.batch_size,), generator=generator)
        task = stratified_levels(self.batch_size, tasks, generator)
        task = task[torch.randperm(self.batch_size, generator=generator)]  # or it would go with the level
        within = torch.rand(self.batch_size, dtype=torch.float64, generator=generator) * self.sizes[task]
        return self.starts[task] + within.long()


def validation_batch(episodes: Episodes, index: Tensor, num_levels: int, noise_dim: int, seed: int) -> NoisyBatch:
    """One fixed batch of held-out transitions, each level with an equal number, the same at every validation."""
    generator = torch.Generator().manual_seed(seed)
    size = min(len(index), MAX_VALIDATION) // num_levels * num_levels or num_levels
    chosen = torch.arange(size) * len(index) // size
    level = torch.arange(size) % num_levels
    noise = torch.randn(size, noise_dim, generator=generator)
    return NoisyBatch(episodes.transitions(index[chosen]), level, noise)


class TransitionDataModule(L.LightningDataModule):
    """Hands Lightning whole batches, so that nothing is collated sample by sample.

    Args:
        episodes: The data.
        train: `[N]`, indices of the training transitions.
        validation: `[M]`, indices of the held-out transitions.
        batch_size: Over all processes.
        num_levels: Number K of noise levels.
        noise_dim: Size of the vector that the diffusion predicts.
        seed: Of everything that is drawn.
    """

    def __init__(
        self,
        episodes: Episodes,
        train: Tensor,
        validation: Tensor,
        *,
        batch_size: int,
        num_levels: int,
        noise_dim: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.episodes, self.train, self.validation = episodes, train, validation
        self.batch_size, self.num_levels, self.noise_dim, self.seed = batch_size, num_levels, noise_dim, seed

    def batches(self, first_step: Callable[[], int], rank: int = 0, world_size: int = 1) -> Batches:
        """Training batches, see `Batches`."""
        return Batches(
            self.episodes,
            self.train,
            batch_size=self.batch_size,
            num_levels=self.num_levels,
            noise_dim=self.noise_dim,
            seed=self.seed,
            first_step=first_step,
            rank=rank,
            world_size=world_size,
        )

    def train_dataloader(self) -> Batches:
        """Batches from the trainer's present step onwards."""
        trainer = self.trainer
        assert trainer is not None
        return self.batches(lambda: trainer.global_step, trainer.global_rank, trainer.world_size)

    def val_dataloader(self) -> "OneBatch":
        """The one validation batch."""
        return OneBatch(validation_batch(self.episodes, self.validation, self.num_levels, self.noise_dim, self.seed))

    def transfer_batch_to_device(self, batch: NoisyBatch, device: torch.device, dataloader_idx: int) -> NoisyBatch:
        """Move a batch; Lightning's own walk over the nested tuples costs more than all these tensors."""
        moved = Transitions(*(column.to(device) for column in batch.transitions))
        return NoisyBatch(moved, batch.level.to(device), batch.noise.to(device))


class OneBatch(IterableDataset[NoisyBatch]):
    """A loader of a single batch."""

    def __init__(self, batch: NoisyBatch) -> None:
        self.batch = batch

    def __iter__(self) -> Iterator[NoisyBatch]:
        yield self.batch
