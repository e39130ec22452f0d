import csv
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from diffsr_hub import DiffSR
from diffsr_hub.data import Episodes
from diffsr_hub.errors import UserError
from pretrain import fit
from pretrain.datamodule import Batches, NoisyBatch, TransitionDataModule, validation_batch
from pretrain.module import LOG_EVERY, DiffSRModule

LEVELS = 5


@pytest.fixture
def batch(episodes: Episodes) -> NoisyBatch:
    sizes: dict[str, Any] = {"batch_size": 24, "num_levels": LEVELS, "noise_dim": 3}
    return Batches(episodes, torch.arange(900), **sizes, seed=0, first_step=lambda: 0).batch(0)


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a module logs without a trainer."""
    logged: dict[str, Any] = {}
    monkeypatch.setattr(DiffSRModule, "log", lambda self, name, value, **_: logged.__setitem__(name, value))
    monkeypatch.setattr(DiffSRModule, "log_dict", lambda self, values: logged.update(values))
    return logged


def system(model: DiffSR, **changes: Any) -> DiffSRModule:
    return DiffSRModule(model, **{"learning_rate": 0.01, "max_steps": 1000, **changes})


def by_hand(model: DiffSR, batch: NoisyBatch) -> torch.Tensor:
    """√β ψᵀ∇ν(√(1−β) s' + √β ε) + ε, from the encoder's public parts."""
    data, level, noise = batch
    beta = model.schedule.beta[level].unsqueeze(-1)
    noisy = (1 - beta).sqrt() * model.normalize(data.next_obs) + beta.sqrt() * noise
    raw = noisy * model.obs_std + model.obs_mean
    return beta.sqrt() * model.score(data.obs, data.action, raw, level) * model.obs_std + noise


@pytest.mark.parametrize("score", ["gradient", "matrix"])
@pytest.mark.parametrize("weighting", ["epsilon", "paper"])
def test_the_loss_is_the_mean_squared_error_of_the_noise(make_encoder, batch, silent, score, weighting):
    model = make_encoder(score=score)
    loss = system(model, weighting=weighting).training_step(batch, 0)
    squared = by_hand(model, batch).square().mean(-1)
    beta = model.schedule.beta[batch.level] if weighting == "paper" else torch.ones(24)
    torch.testing.assert_close(loss, (squared / beta).mean(), rtol=1e-4, atol=1e-5)


def test_the_reward_adds_its_squared_error_in_units_of_its_variance(make_encoder, batch, silent):
    model = make_encoder(predict_reward=True)
    without = system(model).training_step(batch, 0)
    loss = system(model, reward_coef=0.3).training_step(batch, 0)
    data = batch.transitions
    error = (model.predict_reward(data.obs, data.action) - data.reward) / model.reward_std
    torch.testing.assert_close(loss, without + 0.3 * error.square().mean())


def test_every_parameter_is_trained(make_encoder, batch, silent):
    module = system(make_encoder(predict_reward=True), reward_coef=0.3)
    module.training_step(batch, 0).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())
    (group,) = module.configure_optimizers()["optimizer"].param_groups
    assert {id(p) for p in group["params"]} == {id(p) for p in module.model.parameters()}


def test_a_validation_is_the_mean_of_each_level(make_encoder, episodes, silent):
    model = make_encoder()
    batch = validation_batch(episodes, torch.arange(50), LEVELS, 3, seed=0)
    system(model, weighting="paper").validation_step(batch, 0)
    squared = by_hand(model, batch).square().mean(-1)
    torch.testing.assert_close(silent["val/loss"], squared.mean(), rtol=1e-4, atol=1e-5)
    for level in range(LEVELS):
        expected = squared[batch.level == level].mean()
        torch.testing.assert_close(silent[f"val/level_{level:02d}"], expected, rtol=1e-4, atol=1e-5)


def test_the_learning_rate_warms_up_and_falls_to_zero(make_encoder):
    module = system(make_encoder(), max_steps=110, warmup_steps=10)
    assert [module.rate(step) for step in (0, 4, 9)] == pytest.approx([1 / 11, 5 / 11, 10 / 11])
    assert [module.rate(step) for step in (10, 60, 110, 111)] == pytest.approx([1, 0.5, 0, 0])
    assert module.rate(35) == pytest.approx(0.5 + 0.5 * math.cos(math.pi / 4))


def test_the_learning_rate_may_stay(make_encoder):
    module = system(make_encoder(), max_steps=20, warmup_steps=10, lr_schedule="constant")
    assert {module.rate(step) for step in (10, 19, 500)} == {1.0}


def test_a_warm_up_may_be_as_long_as_the_run_or_absent(make_encoder):
    assert 0 < system(make_encoder(), max_steps=5, warmup_steps=10).rate(4) < 1
    assert system(make_encoder(), max_steps=5, warmup_steps=0).rate(0) == 1


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_not_finite_are_never_saved(make_encoder, value):
    module = system(make_encoder())
    module.on_save_checkpoint({})
    with torch.no_grad():
        next(iter(module.parameters()))[0] = value
    with pytest.raises(UserError, match=r"diverged.*learning_rate.*gradient_clip"):
        module.on_save_checkpoint({})


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "logs/csv/version_0/metrics.csv").open() as file:
        return list(csv.DictReader(file))


def test_what_is_logged_is_the_mean_over_the_window(pretrain: Callable[..., Path], monkeypatch):
    losses: list[float] = []
    step = DiffSRModule.training_step

    def spy(self: DiffSRModule, batch: NoisyBatch, batch_idx: int) -> torch.Tensor:
        loss = step(self, batch, batch_idx)
        losses.append(float(loss.detach()))
        return loss

    monkeypatch.setattr(DiffSRModule, "training_step", spy)
    logged = rows(pretrain("run", "--reward_coef", "0.5"))
    windows = {int(row["step"]): row for row in logged if row["train/loss"]}
    assert list(windows) == [49, 99, 149, 199]
    for last, row in windows.items():
        expected = sum(losses[last + 1 - LOG_EVERY : last + 1]) / LOG_EVERY
        assert float(row["train/loss"]) == pytest.approx(expected, rel=1e-5)
        parts = float(row["train/diffusion"]) + 0.5 * float(row["train/reward"])
        assert float(row["train/loss"]) == pytest.approx(parts, rel=1e-5)
    assert [int(row["step"]) for row in logged if row["val/loss"]] == [99, 199]
    assert float(windows[199]["train/diffusion"]) < 0.5 * float(windows[49]["train/diffusion"])


def test_the_learning_rate_of_each_step_is_the_scheduled_one(pretrain: Callable[..., Path], monkeypatch):
    used: list[float] = []
    step = torch.optim.Adam.step

    def spy(self: torch.optim.Adam, closure: Any = None) -> Any:
        used.append(self.param_groups[0]["lr"])
        return step(self, closure)

    monkeypatch.setattr(torch.optim.Adam, "step", spy)
    pretrain("run", "--max_steps", "20", "--learning_rate", "0.5", "--gradient_clip", "0.01")
    rate = DiffSRModule(DiffSR(3, 2), learning_rate=0.5, max_steps=20, warmup_steps=10).rate
    assert used == pytest.approx([0.5 * rate(step) for step in range(20)])


@pytest.mark.parametrize("weighting", ["epsilon", "paper"])
def test_a_loss_a_hundred_times_that_of_knowing_nothing_stops_the_run(make_encoder, silent, weighting):
    module = system(make_encoder(), weighting=weighting)
    nothing = 1.0 if weighting == "epsilon" else float((1 / module.model.schedule.beta).mean())
    module._stop_if_diverged(torch.tensor(99 * nothing))
    for bad in (101 * nothing, math.nan, math.inf):
        with pytest.raises(UserError, match="diverged"):
            module._stop_if_diverged(torch.tensor(bad))


def test_a_run_that_diverges_leaves_the_last_good_checkpoint(machine, refused, monkeypatch):
    step = DiffSRModule.training_step

    def explode(self: DiffSRModule, batch: NoisyBatch, batch_idx: int) -> torch.Tensor:
        return step(self, batch, batch_idx) * (math.inf if self.global_step == 120 else 1.0)

    monkeypatch.setattr(DiffSRModule, "training_step", explode)
    said = refused("--dataset", "test/linear", "--run_dir", "run")
    assert "diverged" in said and "--learning_rate" in said
    kept = torch.load("run/checkpoints/last.ckpt", weights_only=True)
    assert kept["global_step"] == 100
    assert all(tensor.isfinite().all() for tensor in kept["state_dict"].values())
    monkeypatch.setattr(DiffSRModule, "training_step", step)
    fit.main(["--resume", "run", "--learning_rate", "0.001"])
    assert Path("run/encoder/model.safetensors").is_file()


def test_a_resumed_run_takes_a_new_learning_rate(pretrain, monkeypatch):
    pretrain("run", "--max_steps", "50", "--lr_schedule", "constant")
    used: list[float] = []
    step = torch.optim.Adam.step

    def spy(self: torch.optim.Adam, closure: Any = None) -> Any:
        used.append(self.param_groups[0]["lr"])
        return step(self, closure)

    monkeypatch.setattr(torch.optim.Adam, "step", spy)
    fit.main(["--resume", "run", "--max_steps", "60", "--learning_rate", "1e-4"])
    assert used == pytest.approx([1e-4] * 10)


def test_the_validation_data_is_not_trained_on(pretrain, monkeypatch):
    seen: dict[str, Any] = {}
    init = TransitionDataModule.__init__

    def spy(self: TransitionDataModule, episodes: Episodes, train: Any, validation: Any, **options: Any) -> None:
        seen.update(train=set(train.tolist()), validation=set(validation.tolist()), all=episodes.num_transitions)
        init(self, episodes, train, validation, **options)

    monkeypatch.setattr(TransitionDataModule, "__init__", spy)
    pretrain("run", "--max_steps", "1")
    assert not seen["train"] & seen["validation"]
    assert seen["train"] | seen["validation"] == set(range(seen["all"]))
