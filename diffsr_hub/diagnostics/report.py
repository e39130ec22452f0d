"""What a representation knows, measured on held-out episodes beside a random encoder and raw (s, a)."""

import copy
from typing import Any

import torch
from torch import Tensor

from diffsr_hub.data.episodes import Episodes
from diffsr_hub.diagnostics.heldout import Sample, draw_sample
from diffsr_hub.diagnostics.level_loss import linear_gaussian, marginal_gaussian, mean_squared_residual
from diffsr_hub.diagnostics.ridge import fourier_probe, ridge_probe
from diffsr_hub.diagnostics.sampling import check_samples
from diffsr_hub.diagnostics.spectrum import effective_rank, singular_spectrum
from diffsr_hub.errors import UserError
from diffsr_hub.model.encoder import DiffSR

_LEVEL_TRANSITIONS = 4_096  # for the loss at each level
_TABLE_TRANSITIONS = 8_192  # for the table of residuals
_SAMPLED_TRANSITIONS, _SAMPLES = 512, 16  # for reverse diffusion
Inputs = dict[str, tuple[Tensor, Tensor]]
"""Name of a representation → its values on training and on validation rows, `[N, d]`."""


@torch.no_grad()
def diagnose(
    model: DiffSR,
    episodes: Episodes,
    train_ids: Tensor,
    validation_ids: Tensor,
    *,
    seed: int = 0,
    max_transitions: int = 20_000,
    discount: float = 0.99,
) -> dict[str, Any]:
    """Measure an encoder on episodes that it was not trained on.

    The model is left as it is, no global randomness is used, and the same seed gives the same report.

    Args:
        model: The encoder, on any device; the work is done on a copy on the CPU.
        episodes: The data.
        train_ids: `[M]`, int64, episodes that probes and references may be fitted on.
        validation_ids: `[M]`, int64, other episodes, for every number of the report.
        seed: Of the sampling of transitions, the noise and the random encoder.
        max_transitions: Most transitions used of each side.
        discount: Of the Monte-Carlo return.

    Returns:
        A JSON-able report with finite numbers: `loss` per level and in the mean, ε-form per dimension; `probes`, R² of
        all dimensions of a target together, each in units of its own standard deviation; `spectrum`; `samples`, see
        `check_samples`; the transitions and episodes used.

    Raises:
        UserError: One side has no episodes, or ψ or the loss is not finite.
    """
    model = copy.deepcopy(model).cpu().eval()
    rival = random_encoder(model, seed)
    train = draw_sample(episodes, train_ids, limit=max_transitions, discount=discount, seed=seed)
    validation = draw_sample(episodes, validation_ids, limit=max_transitions, discount=discount, seed=seed + 1)
    inputs = {
        "psi": (_psi(model, train), _psi(model, validation)),
        "random_psi": (_psi(rival, train), _psi(rival, validation)),
        "raw": (_raw(model, train), _raw(model, validation)),
    }
    return {
        "seed": seed,
        "discount": discount,
        "transitions": {"train": len(train.returns), "validation": len(validation.returns)},
        "episodes": {"train": train.num_episodes, "validation": validation.num_episodes},
        "loss": _loss(model, rival, train, validation, seed),
        "probes": _probes(inputs, train, validation, model.fourier.omega.shape[1], seed),
        "spectrum": {name: _spectrum(held_out) for name, (_, held_out) in inputs.items()},
        "samples": check_samples(model, validation.thin(_SAMPLED_TRANSITIONS), samples=_SAMPLES, seed=seed),
    }


def residual_table(model: DiffSR, episodes: Episodes, ids: Tensor, seed: int) -> Tensor:
    """Mean squared denoising residual per level and dimension, `[K, obs_dim]`: what `DiffSR.unexplained` holds.

    Args:
        model: The encoder, on any device; it is left as it is.
        episodes: The data.
        ids: `[M]`, int64, training episodes.
        seed: Of the sampling of transitions and the noise.
    """
    sample = draw_sample(episodes, ids, limit=_TABLE_TRANSITIONS, discount=0.0, seed=seed)
    return mean_squared_residual(copy.deepcopy(model).cpu().eval(), sample.batch, seed=seed).float()


def random_encoder(model: DiffSR, seed: int) -> DiffSR:
    """An encoder of the same architecture and statistics with fresh weights."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        fresh = DiffSR(**model.arguments)
    fresh.set_statistics(model.obs_mean, model.obs_std, model.reward_mean, model.reward_std)
    return fresh.eval()


def _psi(model: DiffSR, sample: Sample) -> Tensor:
    return _finite(model.psi(sample.batch.obs, sample.batch.action), "ψ")


def _finite(values: Tensor, name: str) -> Tensor:
    if not values.isfinite().all():
        raise UserError(f"{name} is not finite on this data: the training diverged, take an earlier checkpoint")
    return values


def _raw(model: DiffSR, sample: Sample) -> Tensor:
    return torch.cat([model.normalize(sample.batch.obs), sample.batch.action], dim=-1)


def _loss(model: DiffSR, rival: DiffSR, train: Sample, validation: Sample, seed: int) -> dict[str, Any]:
    """The ε-form loss per dimension: per level, `[K]` each, and its mean."""
    batch, beta = validation.thin(_LEVEL_TRANSITIONS), model.schedule.beta
    inputs = _raw(model, train), _raw(model, validation)
    targets = model.normalize(train.batch.next_obs), model.normalize(validation.batch.next_obs)
    per_level = {
        "encoder": _finite(mean_squared_residual(model, batch, seed=seed), "the loss"),
        "linear_dynamics": linear_gaussian((inputs[0], targets[0]), (inputs[1], targets[1])).loss(beta),
        "without_state_action": marginal_gaussian(*targets).loss(beta),
        "random_encoder": mean_squared_residual(rival, batch, seed=seed),
        "constant": torch.ones(len(beta), 1),  # E ε² = 1, as no constant predicts the noise better than 0
    }
    return {
        "beta": beta.tolist(),
        "per_level": {name: table.mean(1).tolist() for name, table in per_level.items()},
        "mean": {name: float(table.mean()) for name, table in per_level.items()},
    }


def _probes(
    inputs: Inputs, train: Sample, validation: Sample, num_frequencies: int, seed: int
) -> dict[str, dict[str, float]]:
    """R² of every target from every input."""
    report: dict[str, dict[str, float]] = {}
    targets = _targets(train), _targets(validation)
    for target in targets[0]:
        report[target] = {
            name: ridge_probe((x, targets[0][target]), (held_out, targets[1][target]))
            for name, (x, held_out) in inputs.items()
        }
    known = train.known, validation.known
    returns = train.returns[known[0], None], validation.returns[known[1], None]
    pairs = {name: ((x[known[0]], returns[0]), (y[known[1]], returns[1])) for name, (x, y) in inputs.items()}
    report["return"] = {name: ridge_probe(*sides) for name, sides in pairs.items()}
    report["return_fourier"] = {
        name: fourier_probe(*sides, num_frequencies=num_frequencies, seed=seed) for name, sides in pairs.items()
    }
    return report


def _targets(sample: Sample) -> dict[str, Tensor]:
    """What every transition is asked for, `[N, o]` each; the probes bring them to unit variance."""
    batch = sample.batch
    return {
        "reward": batch.reward.unsqueeze(-1),
        "next_obs": batch.next_obs,
        "change": batch.next_obs - batch.obs,
    }


def _spectrum(features: Tensor) -> dict[str, Any]:
    values = singular_spectrum(features)
    return {"singular_values": values.tolist(), "effective_rank": effective_rank(values)}
