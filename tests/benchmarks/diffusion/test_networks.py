"""The networks have the numbers of weights that the authors' have at their sizes, and treat a condition as told."""

import pytest
import torch
from torch import nn

from benchmarks.diffusion.denoisers import SkipMlp, action_mlp, residual_mlp, trajectory_mlp
from benchmarks.diffusion.temporal_unet import ReturnNet, TemporalUNet, guided


def weights(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_diffuser_has_the_weights_of_the_authors() -> None:
    assert weights(TemporalUNet(14, 32, (1, 2, 4, 8), nn.Mish)) == 3_956_302
    assert weights(ReturnNet(14, 32, 32, (1, 2, 4, 8), nn.Mish)) == 2_294_817


@pytest.mark.parametrize(
    ("network", "millions"),
    [
        (action_mlp(3, 11, 256, nn.Mish), 0.14),
        (residual_mlp(3, 11, 256, nn.Mish, blocks=3, dropout=0.1), 1.64),
        (SkipMlp(3, 11, (512, 256, 128)), 1.83),  # the authors' has 1.63
        (trajectory_mlp(13 * 10, 3 * 10, 1024, blocks=6), 6.66),
    ],
    ids=["dql", "idql", "sfbc", "polygrad"],
)
def test_others_have_about_as_many_as_published(network: nn.Module, millions: float) -> None:
    assert weights(network) / 1e6 == pytest.approx(millions, rel=0.05)


@pytest.mark.parametrize("horizon", [4, 8, 12, 32])
def test_a_sequence_keeps_its_shape(horizon: int) -> None:
    network = TemporalUNet(5, 8, (1, 2, 4), nn.SiLU, given=2, condition=1)
    x, time = torch.randn(3, horizon, 5), torch.arange(3.0)
    assert network(x, time, torch.ones(3, 1), given=torch.randn(3, horizon, 2)).shape == x.shape
    assert ReturnNet(5, horizon, 32, (1, 1), nn.SiLU)(x, time).shape == (3,)


def test_guidance_is_a_line_through_both_predictions() -> None:
    network = TemporalUNet(5, 8, (1, 2), nn.SiLU, condition=1)
    x, time, condition = torch.randn(2, 4, 5), torch.ones(2), torch.randn(2, 1)
    told, not_told = torch.ones(2, dtype=torch.bool), torch.zeros(2, dtype=torch.bool)
    with_it, without = network(x, time, condition, told), network(x, time, condition, not_told)
    expected = without + 1.2 * (with_it - without)
    torch.testing.assert_close(guided(network, x, time, condition, 1.2), expected, atol=1e-5, rtol=1e-4)
    assert torch.equal(without, network(x, time, condition + 1, not_told))
