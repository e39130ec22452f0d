import pytest
import torch

from diffsr_hub.diagnostics.spectrum import effective_rank, singular_spectrum


@pytest.mark.parametrize("dimension", [1, 2, 17])
def test_equal_directions_all_count(dimension):
    features = torch.cat([torch.eye(dimension), -torch.eye(dimension)])  # already centred
    assert effective_rank(singular_spectrum(features)) == pytest.approx(dimension)


def test_one_direction_counts_as_one():
    features = torch.arange(10.0)[:, None] * torch.tensor([1.0, -2.0, 3.0]) + 100
    spectrum = singular_spectrum(features)
    assert spectrum[0] == 1
    assert effective_rank(spectrum) == pytest.approx(1, abs=1e-4)


def test_neither_scale_nor_offset_nor_rotation_matter():
    features = torch.randn(50, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rotation = torch.linalg.qr(features[:4]).Q
    expected = singular_spectrum(features)
    torch.testing.assert_close(singular_spectrum(3 * features @ rotation + 5), expected)


def test_features_that_never_vary_have_no_directions():
    assert effective_rank(singular_spectrum(torch.full((8, 3), 2.0))) == 0.0
