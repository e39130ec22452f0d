"""What every update reads: transitions of this run, mixed with a share of offline ones that falls."""

from dataclasses import dataclass

import torch

from diffsr_hub.checks import at_least_one, in_unit_interval, not_negative, require
from finetune.learning.batch import Batch, Scale, joined
from finetune.learning.offline import OfflineData
from finetune.learning.replay import Replay

LARGEST_BATCH = 1_000_000
"""transitions; far more than anybody learns from at once, and less than what cannot be allocated"""


@dataclass(frozen=True, kw_only=True)
class BatchConfig:
    """What a batch is made of."""

    batch_size: int = 128
    """Transitions per update."""
    discount: float = 0.99
    """γ per step."""
    n_step: int = 3
    """Rewards that a TD target adds up before it bootstraps."""
    capacity: int = 1_000_000
    """Transitions that the replay buffer keeps."""
    offline_fraction: float = 0.5
    """Share of every batch that is offline."""
    offline_steps: int = 0
    """Environment steps over which that share falls linearly to 0; 0 keeps it."""
    imitation_coef: float = 1.0
    """Weight of imitating offline actions; falls as the share does."""

    def __post_init__(self) -> None:
        """Refuse what no batch can be made of."""
        at_least_one(self, "batch_size", "n_step", "capacity")
        not_negative(self, "offline_steps", "imitation_coef")
        in_unit_interval(self, "discount", "offline_fraction")
        require(
            self.batch_size <= LARGEST_BATCH, f"batch_size must be at most {LARGEST_BATCH:,}, got {self.batch_size}"
        )


class Batches:
    """Draws the batches of a run.

    Args:
        replay: The steps of the run.
        offline: Other transitions, where there are some.
        config: What a batch is made of.
        generator: Source of what is drawn.
    """

    def __init__(
        self, replay: Replay, offline: OfflineData | None, config: BatchConfig, generator: torch.Generator
    ) -> None:
        self.replay, self.offline, self.config, self.generator = replay, offline, config, generator

    def at_step(self, step: int) -> Batch:
        """A batch after so many environment steps."""
        if self.offline is None:
            return self.draw(0.0)
        share = self.config.offline_fraction
        if self.config.offline_steps:
            share *= max(0.0, 1 - step / self.config.offline_steps)
        return self.draw(share)

    def draw(self, offline_share: float) -> Batch:
        """A batch of which a share is offline, at its end."""
        size = self.config.batch_size
        offline = round(size * offline_share)
        parts = [self.replay.sample(size - offline, self.generator)] if offline < size else []
        if offline and self.offline is not None:
            parts.append(self.offline.sample(offline, self.generator))
        return joined(parts)._replace(imitation_coef=self.config.imitation_coef * offline_share)

    def look(self, size: int) -> Batch | None:
        """Some of what is learned from, always the same; of this run where it has any, None where there is nothing."""
        generator = torch.Generator(self.generator.device).manual_seed(0)
        if len(self.replay):
            return self.replay.sample(size, generator)
        return None if self.offline is None else self.offline.sample(size, generator)

    def scale(self) -> Scale:
        """The size of what there is to learn from: of offline data where there is some, else of the run's own."""
        return self.replay.scale() if self.offline is None else self.offline.scale()
