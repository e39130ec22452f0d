"""Episodes divided into those that are learned from and those that are held out."""

import torch
from torch import Tensor

from diffsr_hub.data.episodes import Episodes
from diffsr_hub.errors import UserError


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
