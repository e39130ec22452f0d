"""Noise levels: strictly ordered, pinned where they are published, variance preserving."""

import math
from typing import get_args

import pytest
import torch

from diffsr_hub.model.schedule import NoiseSchedule, ScheduleName, total_variance

NAMES = get_args(ScheduleName)


@pytest.mark.parametrize("num_levels", [1, 2, 3, 10, 50, 1000])
@pytest.mark.parametrize("name", NAMES)
def test_noise_increases_strictly_within_0_and_1_also_in_float32(name: ScheduleName, num_levels: int) -> None:
    exact, stored = total_variance(name, num_levels), NoiseSchedule(name, num_levels).beta
    assert exact.dtype == torch.float64 and exact.shape == stored.shape == (num_levels,)
    for beta in (exact, stored):
        assert beta.min() > 0 and beta.max() < 1
        assert (beta.diff() > 0).all()


@pytest.mark.parametrize("num_levels", [1, 2, 3, 10, 50, 1000])
@pytest.mark.parametrize("name", NAMES)
def test_last_level_is_almost_pure_noise(name: ScheduleName, num_levels: int) -> None:
    assert total_variance(name, num_levels)[-1] > 0.99


@pytest.mark.parametrize("num_levels", [1, 2, 10, 50, 1000])
@pytest.mark.parametrize("name", NAMES)
def test_code_is_finite_and_tells_every_level_apart(name: ScheduleName, num_levels: int) -> None:
    schedule = NoiseSchedule(name, num_levels)
    assert schedule.code.shape == (num_levels, schedule.code_dim)
    assert schedule.code.isfinite().all()
    assert schedule.code.abs().max() < 10
    assert len(set(map(tuple, schedule.code.tolist()))) == num_levels


def test_vp_keeps_the_authors_values() -> None:
    alpha_bar = 1 - total_variance("vp", 50)
    assert alpha_bar[0].item() == pytest.approx(math.exp(-0.1 / 50 - 4.95 / 2500), rel=1e-12)
    assert alpha_bar[-1].item() == pytest.approx(math.exp(-0.1 - 4.95), rel=1e-12)
    assert alpha_bar[[0, -1]].tolist() == pytest.approx([0.9960, 0.0064], abs=5e-5)
    assert total_variance("vp", 50)[[0, -1]].sqrt().tolist() == pytest.approx([0.063, 0.997], abs=5e-4)


def test_linear_of_1000_levels_is_ddpm() -> None:
    alpha_bar, expected = 1 - total_variance("linear", 1000), 1.0
    for k in range(1000):
        expected *= 1 - (1e-4 + (0.02 - 1e-4) * k / 999)
        assert alpha_bar[k].item() == pytest.approx(expected, rel=1e-9)
    assert alpha_bar[-1].item() == pytest.approx(4.04e-5, abs=5e-8)


@pytest.mark.parametrize("num_levels", [10, 50, 500])
def test_linear_of_fewer_levels_skips_levels_of_ddpm(num_levels: int) -> None:
    every = 1000 // num_levels
    torch.testing.assert_close(total_variance("linear", num_levels), total_variance("linear", 1000)[every - 1 :: every])


@pytest.mark.parametrize("num_levels", [1, 10, 1000])
def test_cosine_is_the_published_formula_with_a_floor(num_levels: int) -> None:
    def f(k: int) -> float:
        return math.cos((k / num_levels + 0.008) / 1.008 * math.pi / 2) ** 2

    beta = total_variance("cosine", num_levels)
    for k in range(1, num_levels + 1):
        assert 1 - beta[k - 1].item() == pytest.approx(1e-4 + (1 - 1e-4) * f(k) / f(0), rel=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_corruption_is_the_formula_and_keeps_unit_variance(name: ScheduleName) -> None:
    schedule, generator = NoiseSchedule(name, 10), torch.Generator().manual_seed(0)
    clean, noise = torch.randn(2, 10, 20_000, 2, generator=generator)
    level = torch.arange(10)[:, None].expand(10, 20_000)
    noisy = schedule.corrupt(clean, level, noise)
    assert (noisy.var(dim=(1, 2)) - 1).abs().max() < 0.03
    beta = total_variance(name, 10)[:, None, None]
    torch.testing.assert_close(noisy.double(), (1 - beta).sqrt() * clean + beta.sqrt() * noise, atol=1e-5, rtol=1e-4)


def test_corruption_takes_any_leading_shape() -> None:
    schedule = NoiseSchedule("vp", 10)
    clean, noise, level = torch.randn(4, 5, 3), torch.randn(4, 5, 3), torch.randint(10, (4, 5))
    whole = schedule.corrupt(clean, level, noise)
    torch.testing.assert_close(schedule.corrupt(clean[1], level[1], noise[1]), whole[1])
    torch.testing.assert_close(schedule.corrupt(clean[1, 2], level[1, 2], noise[1, 2]), whole[1, 2])


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown noise schedule 'quadratic'; choose vp, linear or cosine"):
        NoiseSchedule("quadratic", 10)  # type: ignore[arg-type]


def test_no_levels_are_refused() -> None:
    with pytest.raises(ValueError, match="num_levels must be at least 1, got 0"):
        NoiseSchedule("vp", 0)
