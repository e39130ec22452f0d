"""Our steps are those of `diffusers`, and the steps of a diffusion whose answer is known."""

import warnings
from typing import Any

import pytest
import torch

from benchmarks.diffusion.levels import Levels, cosine, vp, vp_sde
from benchmarks.diffusion.sampling import Rule, sample

SCHEDULES = {"vp": vp(5), "cosine": cosine(20)}


def oracle(kind: str, levels: Levels, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its optional parts are not installed, and it converts arrays as NumPy 1 did
        diffusers = pytest.importorskip("diffusers", reason="the extra [baselines] is not installed")
        betas = [float(levels.beta(k)) for k in range(1, len(levels) + 1)]
        scheduler = getattr(diffusers, kind)(num_train_timesteps=len(levels), trained_betas=betas, **options)
        scheduler.set_timesteps(len(levels))
    return scheduler


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_ddpm_step_is_that_of_diffusers(name: str) -> None:
    levels, generator = SCHEDULES[name], torch.Generator().manual_seed(0)
    other = oracle("DDPMScheduler", levels, clip_sample=True, variance_type="fixed_small")
    for level in range(len(levels), 0, -1):
        x, eps = torch.randn(2, 4, 3, generator=generator)
        noise = torch.randn(4, 3, generator=torch.Generator().manual_seed(level))
        ours = levels.ddpm(x, level, levels.clean(x, level, eps).clamp(-1, 1), noise)
        theirs = other.step(eps, level - 1, x, generator=torch.Generator().manual_seed(level)).prev_sample
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_ddim_step_is_that_of_diffusers(name: str) -> None:
    levels, generator = SCHEDULES[name], torch.Generator().manual_seed(0)
    other = oracle("DDIMScheduler", levels, clip_sample=False)
    for level in range(len(levels), 0, -1):
        x, eps = torch.randn(2, 4, 3, generator=generator)
        theirs = other.step(eps, level - 1, x).prev_sample
        torch.testing.assert_close(levels.ddim(x, level, levels.clean(x, level, eps)), theirs, atol=1e-4, rtol=1e-4)


def test_the_solver_is_that_of_diffusers() -> None:
    levels = vp(20)
    options = {"timestep_spacing": "trailing", "final_sigmas_type": "zero", "lower_order_final": True}
    other = oracle("DPMSolverMultistepScheduler", levels, prediction_type="sample", **options)
    start = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    ours = sample(levels, lambda x, k: (x * 0.3).tanh(), (4, 3), torch.Generator().manual_seed(0), rule="solver")
    x = start
    for t in other.timesteps:
        x = other.step((x * 0.3).tanh(), t, x).prev_sample
    torch.testing.assert_close(ours, x, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("rule", ["ddpm", "ddim", "solver"])
@pytest.mark.parametrize("levels", [cosine(60), vp_sde(60)], ids=["cosine", "vp_sde"])
def test_every_rule_recovers_a_mixture(levels: Levels, rule: Rule) -> None:
    """Of two narrow Gaussians in the plane, whose denoiser is known."""
    centres, narrow = torch.tensor([[2.0, 1.0], [-2.0, -1.0]]), 0.2

    def predict(x: torch.Tensor, level: int) -> torch.Tensor:
        kept = levels.kept[level]
        spread = kept * narrow**2 + 1 - kept
        share = (-(x[:, None] - kept.sqrt() * centres).square().sum(-1) / (2 * spread)).softmax(-1)
        gain = kept.sqrt() * narrow**2 / spread
        return (share.unsqueeze(-1) * (centres + gain * (x[:, None] - kept.sqrt() * centres))).sum(1)

    drawn = sample(levels, predict, (2_000, 2), torch.Generator().manual_seed(1), rule=rule)
    nearest = torch.cdist(drawn, centres).argmin(-1)
    assert abs(float((nearest == 0).float().mean()) - 0.5) < 0.05
    for i in (0, 1):
        torch.testing.assert_close(drawn[nearest == i].mean(0), centres[i], atol=0.05, rtol=0.0)
        torch.testing.assert_close(drawn[nearest == i].std(0), torch.full((2,), narrow), atol=0.05, rtol=0.0)


def test_fewer_levels_are_some_of_all() -> None:
    levels = cosine(100)
    few = levels.respaced(20)
    assert len(few) == 20 and few.kept[0] == 1 and few.kept[-1] == levels.kept[-1]
    assert few.time.tolist() == [levels.time[5 * k].item() for k in range(21)]


def test_what_is_pinned_stays_bit_for_bit() -> None:
    known = torch.randn(3)

    def pin(x: torch.Tensor) -> torch.Tensor:
        return torch.cat([known.expand(len(x), 1, 3), x[:, 1:]], 1)

    drawn = sample(cosine(10), lambda x, k: x * 0.5, (2, 4, 3), torch.Generator().manual_seed(0), pin=pin)
    assert torch.equal(drawn[:, 0], known.expand(2, 3))
