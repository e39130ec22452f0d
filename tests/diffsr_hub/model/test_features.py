"""Random Fourier features: the Gaussian kernel, and the unit sphere."""

import pytest
import torch

from diffsr_hub.model.features import RandomFourierFeatures


def kernel_error(num_frequencies: int, bandwidth: float, draws: int = 200) -> tuple[float, float]:
    """Root mean square and mean error of the kernel over draws of ω and pairs of points."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 32, 4, generator=generator) * bandwidth / 2
    kernel = torch.exp(-(x - y).square().sum(-1) / (2 * bandwidth**2))
    assert 0.05 < kernel.min() < kernel.max() < 0.95
    errors = []
    for _ in range(draws):
        phi = RandomFourierFeatures(4, num_frequencies, bandwidth=bandwidth, generator=generator)
        errors.append((phi(x) * phi(y)).sum(-1) - kernel)
    error = torch.stack(errors)
    return error.square().mean().sqrt().item(), error.mean().item()


@pytest.mark.parametrize("bandwidth", [0.5, 1.0, 4.0])
def test_inner_products_converge_to_the_gaussian_kernel_at_the_monte_carlo_rate(bandwidth: float) -> None:
    (rough, bias), (fine, _), (finest, _) = (kernel_error(m, bandwidth) for m in (16, 64, 256))
    assert rough < 0.2 and abs(bias) < 0.02
    assert rough / fine == pytest.approx(2, rel=0.1)
    assert fine / finest == pytest.approx(2, rel=0.1)


def test_every_feature_vector_has_norm_1() -> None:
    phi = RandomFourierFeatures(4, 32).double()
    norm = phi(torch.randn(5, 6, 4, dtype=torch.float64) * 10).square().sum(-1)
    torch.testing.assert_close(norm, torch.ones_like(norm), rtol=1e-14, atol=0)


def test_layout_is_sines_then_cosines() -> None:
    phi = RandomFourierFeatures(4, 3)
    at_zero = phi(torch.zeros(4))
    torch.testing.assert_close(at_zero, torch.tensor([0.0, 0, 0, 1, 1, 1]) / 3**0.5)


def test_same_generator_gives_the_same_frequencies_and_bandwidth_divides_them() -> None:
    first, again, wide = (
        RandomFourierFeatures(4, 8, bandwidth=b, generator=torch.Generator().manual_seed(3)).omega for b in (1, 1, 2)
    )
    assert torch.equal(first, again)
    torch.testing.assert_close(wide, first / 2)


def test_frequencies_are_saved_and_not_trained() -> None:
    phi = RandomFourierFeatures(4, 8)
    assert not list(phi.parameters())
    assert list(phi.state_dict()) == ["omega"]
