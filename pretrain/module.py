"""The LightningModule of Algorithm 1: wires a DiffSR to its loss and one optimiser, and nothing else."""

import math
from typing import Any, Literal

import lightning as L
import torch
import torch.nn.functional as F
from torch import Tensor

from diffsr_hub.errors import UserError
from diffsr_hub.model.diffusion import Weighting, denoising_residual, diffsr_loss
from diffsr_hub.model.encoder import DiffSR
from pretrain.datamodule import NoisyBatch

LOG_EVERY = 50
DIVERGED = 100.0
"""A loss this many times that of a model which predicts nothing is beyond recovery."""


class DiffSRModule(L.LightningModule):
    """Trains ψ and ν on ready-made batches; everything random is in the batch, so a step is a pure function of it.

    Logged every `LOG_EVERY` steps, as means over them: `train/loss` (what is minimised), `train/diffusion` (its
    denoising part, 1 for a model that predicts nothing under ε-weighting), `train/reward` (squared error in units of
    the reward's variance), `train/learning_rate`. At each validation: `val/loss` (ε-form, whatever the weighting) and
    `val/level_KK` for every noise level.

    Args:
        model: The encoder to train, its statistics set.
        learning_rate: Of Adam, after the warm-up.
        max_steps: Length of training, for the learning-rate schedule.
        warmup_steps: Steps over which the learning rate rises linearly from 0.
        lr_schedule: `cosine` falls to 0 at `max_steps`, `constant` stays.
        weighting: Of the noise levels, see `diffsr_loss`.
        reward_coef: Weight of the reward's loss; the model needs a reward head where it is positive.
    """

    def __init__(
        self,
        model: DiffSR,
        *,
        learning_rate: float,
        max_steps: int,
        warmup_steps: int = 100,
        lr_schedule: Literal["cosine", "constant"] = "cosine",
        weighting: Weighting = "epsilon",
        reward_coef: float = 0.0,
    ) -> None:
        super().__init__()
        self.model = model
        self.learning_rate, self.max_steps, self.warmup_steps = learning_rate, max_steps, warmup_steps
        self.lr_schedule, self.weighting, self.reward_coef = lr_schedule, weighting, reward_coef
        self.running: dict[str, Tensor] = {}
        self.counted = 0  # steps in `running`: fewer than LOG_EVERY where a run goes on inside a window

    def __setattr__(self, name: str, value: Any) -> None:
        # Lightning notes the running hook in this attribute some forty times a step, and nn.Module's own assignment
        # looks through parameters, buffers and submodules each time: a quarter of Lightning's whole overhead.
        if name == "_current_fx_name":
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def losses(self, batch: NoisyBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """What is minimised, and its parts by the name they are logged under."""
        model, (data, level, noise) = self.model, batch
        psi = model.psi(data.obs, data.action)
        next_obs = model.normalize(data.next_obs)
        residual = denoising_residual(model.score_network, model.schedule, psi, next_obs, level, noise)
        loss = diffsr_loss(residual, model.schedule.beta[level], self.weighting)
        parts = {"train/diffusion": loss}
        if model.reward_head is not None:
            target = (data.reward - model.reward_mean) / model.reward_std
            parts["train/reward"] = F.mse_loss(model.reward_head(psi).squeeze(-1), target)
            loss = loss + self.reward_coef * parts["train/reward"]
        return loss, {"train/loss": loss, **parts}

    def training_step(self, batch: NoisyBatch, batch_idx: int) -> Tensor:
        """The loss of Algorithm 1, plus the weighted loss of the reward where there is a head for it."""
        loss, parts = self.losses(batch)
        self._log_means(parts)
        return loss

    def _log_means(self, values: dict[str, Tensor]) -> None:
        """Log means over `LOG_EVERY` steps: logging at every step would cost more than a small update."""
        self.counted += 1
        for name, value in values.items():
            total = self.running.get(name)
            self.running[name] = value.detach() if total is None else total + value.detach()
        if (self.global_step + 1) % LOG_EVERY == 0:
            # Over all processes too: they must agree on whether the loss diverged.
            means = {name: self.trainer.strategy.reduce(total / self.counted) for name, total in self.running.items()}
            self.running, self.counted = {}, 0
            self._stop_if_diverged(means["train/diffusion"])
            self.log("train/loss", means.pop("train/loss"), prog_bar=True)
            self.log_dict(means)
            self.log("train/learning_rate", self.trainer.optimizers[0].param_groups[0]["lr"])

    def _stop_if_diverged(self, loss: Tensor) -> None:
        beta = self.model.schedule.beta
        nothing = 1.0 if self.weighting == "epsilon" else float((1 / beta).mean())
        if not float(loss) < DIVERGED * nothing:
            raise self._diverged(f"the loss is {float(loss):.3g}, where predicting nothing gives {nothing:.3g}")

    def _diverged(self, symptom: str) -> UserError:
        return UserError(
            f"training diverged by step {self.global_step}: {symptom}; the last good checkpoint is kept: "
            f"try a lower --learning_rate than {self.learning_rate:g}, or --gradient_clip"
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Never replace a good checkpoint by one that holds a NaN."""
        if not all(parameter.isfinite().all() for parameter in self.parameters()):
            raise self._diverged("a weight became infinite or NaN")

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the learning rate from the settings, which may have changed, and not from the checkpoint."""
        for optimizer, scheduler in zip(checkpoint["optimizer_states"], checkpoint["lr_schedulers"], strict=True):
            scheduler["base_lrs"] = [self.learning_rate]
            rate = self.learning_rate * self.rate(scheduler["last_epoch"])
            for group in optimizer["param_groups"]:
                group.update(lr=rate, initial_lr=self.learning_rate)

    def validation_step(self, batch: NoisyBatch, batch_idx: int) -> None:
        """Mean squared residual of every noise level on the validation batch."""
        data, level, noise = batch
        error = self.model.denoising_residual(data, level, noise).square().mean(-1)
        levels = self.model.schedule.num_levels
        total = torch.zeros(levels, device=error.device).index_add(0, level, error)
        per_level = total / torch.bincount(level, minlength=levels).clamp(min=1)
        self.log("val/loss", error.mean(), prog_bar=True)
        self.log_dict({f"val/level_{k:02d}": value for k, value in enumerate(per_level)})

    def configure_optimizers(self) -> Any:
        """One fused Adam for ψ and ν, its rate scheduled per step."""
        optimizer = torch.optim.Adam(self.parameters(), lr=self.learning_rate, fused=True)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self.rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def rate(self, step: int) -> float:
        """The learning rate of a step, as a fraction of the full one."""
        if step < self.warmup_steps:
            return (step + 1) / (self.warmup_steps + 1)
        if self.lr_schedule == "constant":
            return 1.0
        progress = (step - self.warmup_steps) / max(1, self.max_steps - self.warmup_steps)
        return 0.5 + 0.5 * math.cos(math.pi * min(1.0, progress))
