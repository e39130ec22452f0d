"""The two networks against the formulas in their docstrings."""

import pytest
import torch

from diffsr_hub.model.networks import MLP, ResidualMLP


def leaky(x: torch.Tensor) -> torch.Tensor:
    return torch.where(x > 0, x, 0.1 * x)


def test_mlp_is_leaky_layers_plus_a_linear_map() -> None:
    net, x = MLP(3, (5, 4), 2), torch.randn(7, 3)
    first, second, last = net.layers
    expected = last(leaky(second(leaky(first(x))))) + x @ net.linear.weight.T
    torch.testing.assert_close(net(x), expected)


def test_mlp_without_its_layers_is_linear() -> None:
    net = MLP(3, (5,), 2)
    for parameter in net.layers.parameters():
        torch.nn.init.zeros_(parameter)
    x, y = torch.randn(2, 7, 3)
    torch.testing.assert_close(net(2 * x - 3 * y), 2 * net(x) - 3 * net(y))
    assert net(x).abs().max() > 0


def test_residual_blocks_add_mish_of_a_normalised_linear_map() -> None:
    net, x = ResidualMLP(3, (6, 6), 2), torch.randn(7, 3)
    hidden = net.embed(x)
    for block in range(2):
        centred = hidden - hidden.mean(-1, keepdim=True)
        normed = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
        pre = net.layers[block](normed)
        hidden = hidden + pre * torch.tanh(torch.log1p(pre.exp()))
    torch.testing.assert_close(net(x), net.out(hidden), atol=1e-5, rtol=1e-5)


def test_residual_blocks_of_unequal_widths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one common width, got \(6, 5\)"):
        ResidualMLP(3, (6, 5), 2)


@pytest.mark.parametrize("network", [MLP, ResidualMLP])
def test_every_parameter_gets_a_gradient_and_leading_shapes_agree(network: type[MLP | ResidualMLP]) -> None:
    net, x = network(3, (6, 6), 2), torch.randn(4, 5, 3)
    net(x).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in net.parameters())
    torch.testing.assert_close(net(x)[1, 2], net(x[1, 2]))
    torch.testing.assert_close(net(x)[1], net(x[1]))
