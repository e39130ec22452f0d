"""Does reverse diffusion draw the next states that the data has?"""

from typing import Any

import torch
from torch import Tensor

from diffsr_hub.model.encoder import DiffSR
from diffsr_hub.transitions import Transitions

_ROWS = 2048  # in one pass through the sampler
_CONSTANT = 1e-6  # standard deviation, in units of the normalised state, below which a coordinate does not move


def check_samples(model: DiffSR, batch: Transitions, *, samples: int, seed: int) -> dict[str, Any]:
    """Draw next states for held-out (s, a) and compare them with the data's, dimension by dimension.

    Everything is about the change of state s' − s in units of its standard deviation over the batch, so that a sampler
    that copies s scores about 1 and not about 0. Dimensions that do not change are left out.

    Args:
        model: On the CPU.
        batch: `[N, ...]`
        samples: Draws per transition, at least 2.
        seed: Of the sampler.

    Returns:
        Lists over `dimensions`: `bias`, mean error of the samples' mean; `rmse` of that mean; `spread`, deviation of
        the samples given (s, a); `spread_over_rmse`, 1 if calibrated; `crps` (Gneiting and Raftery, 2007), beside
        `crps_marginal` of the data's own changes drawn without a look at (s, a). And largest errors of the marginal
        `mean` and `std` of sampled next states, in standard deviations of the training data.
    """
    drawn = _draw(model, batch, samples, seed)
    scale = (batch.next_obs - batch.obs).double().std(0, correction=0)
    moving = torch.nonzero(scale > _CONSTANT * model.obs_std).squeeze(-1)
    change = ((batch.next_obs - batch.obs).double() / scale)[:, moving]
    sampled = ((drawn - batch.obs.unsqueeze(1)).double() / scale)[..., moving]
    per_dimension = calibration(sampled, change) | {"crps_marginal": half_mean_difference(change)}
    marginal = model.normalize(drawn).flatten(0, 1).double(), model.normalize(batch.next_obs).double()
    means, deviations = [x.mean(0) for x in marginal], [x.std(0, correction=0) for x in marginal]
    return {
        "transitions": len(batch.reward),
        "samples_per_transition": samples,
        "dimensions": moving.tolist(),
        **{name: values.tolist() for name, values in per_dimension.items()},
        "worst_marginal_mean_error": float((means[0] - means[1]).abs().max()),
        "worst_marginal_std_error": float((deviations[0] - deviations[1]).abs().max()),
    }


def calibration(sampled: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Scores of an ensemble, each `[D]`; see `check_samples`.

    Args:
        sampled: `[N, S, D]`, S draws of every target.
        target: `[N, D]`
    """
    samples = sampled.shape[1]
    error = sampled.mean(1) - target
    rmse, spread = error.square().mean(0).sqrt(), sampled.var(1).mean(0).sqrt()
    # The mean of S draws is itself off by spread²/S.
    expected = spread * (1 + 1 / samples) ** 0.5
    # Unbiased in S (Ferro, 2014): pairs of different draws.
    pairs = half_mean_difference(sampled.transpose(0, 1)).mean(0)
    return {
        "bias": error.mean(0),
        "rmse": rmse,
        "spread": spread,
        "spread_over_rmse": expected / rmse.clamp(min=1e-12),
        "crps": (sampled - target.unsqueeze(1)).abs().mean((0, 1)) - pairs,
    }


def half_mean_difference(x: Tensor) -> Tensor:
    """½ E|x_i − x_j| over all pairs i ≠ j of the first axis, `[S, ...]` to `[...]`; from the sorted values."""
    count = len(x)
    if count < 2:
        return torch.zeros_like(x[0])
    weight = 2 * torch.arange(1, count + 1, dtype=x.dtype) - count - 1
    ordered = x.sort(0).values
    return (weight.view(-1, *[1] * (x.dim() - 1)) * ordered).sum(0) / (count * (count - 1))


def _draw(model: DiffSR, batch: Transitions, samples: int, seed: int) -> Tensor:
    """Sampled next states, `[N, samples, obs_dim]`."""
    generator = torch.Generator().manual_seed(seed)
    repeated = [column.repeat_interleave(samples, 0) for column in (batch.obs, batch.action)]
    chunks = zip(*(torch.split(column, _ROWS) for column in repeated), strict=True)
    drawn = torch.cat([model.sample_next_obs(obs, action, generator) for obs, action in chunks])
    return drawn.reshape(-1, samples, drawn.shape[-1])
