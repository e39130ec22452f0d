"""What an encoder knows of a Meta-World task: linear probes and the score-matching loss, of the numbers that move."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from diffsr_hub.data import Episodes
from diffsr_hub.diagnostics import random_encoder
from diffsr_hub.diagnostics.heldout import draw_sample
from diffsr_hub.diagnostics.level_loss import marginal_gaussian, mean_squared_residual
from diffsr_hub.diagnostics.ridge import Standard, ridge_probe
from diffsr_hub.model.encoder import DiffSR

FRAME = 18
"""numbers of a state that are new; then come those of the frame before, and the goal"""
SMALLEST_CHANGE = 1e-4
"""standard deviation per step of a number that moves: 0.1 mm, where the hand's is 2 mm"""
FARTHEST = 10.0
"""standard deviations: a linear probe is not asked about inputs farther from what it was fitted on"""


@torch.no_grad()
def knowledge(model: DiffSR, episodes: Episodes, fitting: Tensor, measuring: Tensor, seed: int) -> dict[str, Any]:
    """What an encoder knows of one task: R² of linear probes, fitted on some episodes, on others; its loss there.

    The untrained network beside it has weights of the given seed.
    """
    rival = random_encoder(model, seed)
    samples = [
        draw_sample(episodes, ids, limit=20_000, discount=0.99, seed=number)
        for number, ids in enumerate((fitting, measuring))
    ]
    batches = [sample.batch for sample in samples]
    change = batches[0].next_obs - batches[0].obs
    moving = (change[:, :FRAME].std(0) > SMALLEST_CHANGE).nonzero().squeeze(-1)
    inputs = {
        "psi": [model.psi(batch.obs, batch.action) for batch in batches],
        "random_psi": [rival.psi(batch.obs, batch.action) for batch in batches],
        "raw": [torch.cat([batch.obs, batch.action], dim=-1) for batch in batches],
    }
    targets = {
        "change": [(batch.next_obs - batch.obs)[:, moving] for batch in batches],
        "reward": [batch.reward.unsqueeze(-1) for batch in batches],
    }
    next_obs = [model.normalize(batch.next_obs) for batch in batches]
    losses = {
        "encoder": mean_squared_residual(model, samples[1].thin(4_096), seed=0),
        "without_state_action": marginal_gaussian(*next_obs).loss(model.schedule.beta),
    }
    return {
        "moving": moving.tolist(),
        "probes": {name: {which: probe_r2(x, y) for which, x in inputs.items()} for name, y in targets.items()},
        "loss": {name: float(table[:, moving].mean()) for name, table in losses.items()},
    }


def probe_r2(inputs: Sequence[Tensor], targets: Sequence[Tensor]) -> float:
    """R² of a linear probe on the second of two samples, fitted on the first."""
    standard = Standard(inputs[0])
    x, y = (standard(each).clamp(-FARTHEST, FARTHEST) for each in inputs)
    return ridge_probe((x, targets[0]), (y, targets[1]))
