"""Laws of the critics: two of them are two, their angles have the bandwidth, and the hand-written gradient is right."""

import pytest
import torch
import torch.nn.functional as F

from finetune.agent.critic import TwinCritic


def test_twin_critics_are_two_critics_computed_one_by_one():
    torch.manual_seed(0)
    critic, psi = TwinCritic(6, 4, 1.0), torch.randn(9, 6) * 3 + 1
    with torch.no_grad():
        for parameter in critic.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    values = critic(psi)
    assert values.shape == (2, 9)
    normal = F.layer_norm(psi, (6,))
    for i in range(2):
        angle = normal @ critic.omega[:, 4 * i : 4 * (i + 1)]
        phi = torch.cat([angle.sin(), angle.cos()], dim=-1)
        xi = torch.cat([critic.xi_sin[4 * i : 4 * (i + 1)], critic.xi_cos[4 * i : 4 * (i + 1)]])
        torch.testing.assert_close(values[i], phi @ xi + critic.bias[i])


def test_the_gradient_in_closed_form_is_that_of_autograd():
    torch.manual_seed(0)
    critic, psi, target = TwinCritic(6, 4, 1.3).double(), torch.randn(9, 6).double(), torch.randn(9).double()
    loss, values = critic.regress(psi, target)
    ours = {name: parameter.grad.clone() for name, parameter in critic.named_parameters()}
    critic.zero_grad()
    expected = (critic(psi) - target).square().mean(-1).sum()
    expected.backward()
    torch.testing.assert_close(loss, expected.detach())
    torch.testing.assert_close(values, critic(psi).detach())
    assert ours.keys() == {"omega", "xi_sin", "xi_cos", "bias"}
    for name, parameter in critic.named_parameters():
        torch.testing.assert_close(ours[name], parameter.grad, msg=name)


def test_the_twins_share_no_weights():
    torch.manual_seed(0)
    critic = TwinCritic(6, 4, 1.0)
    critic(torch.randn(9, 6))[0].sum().backward()
    assert not critic.omega.grad[:, 4:].any() and critic.omega.grad[:, :4].any()
    for parameter in (critic.xi_sin, critic.xi_cos):
        assert not parameter.grad[4:].any() and parameter.grad[:4].any()
    assert critic.bias.grad.tolist() == [9.0, 0.0]


@pytest.mark.parametrize("bandwidth", [0.5, 2.0])
@pytest.mark.parametrize("scale", [1e-2, 1.0, 1e3])
def test_bandwidth_is_the_standard_deviation_of_the_angles_whatever_the_scale_of_psi(bandwidth, scale):
    torch.manual_seed(0)
    critic = TwinCritic(128, 500, bandwidth)
    psi = torch.randn(500, 128) * scale + scale
    angle = F.layer_norm(psi, (128,)) @ critic.omega
    rough = 0.1 if scale == 1e-2 else 0.02  # LayerNorm's own ε
    torch.testing.assert_close(angle.std(), torch.tensor(bandwidth), rtol=rough, atol=0)


def test_the_ascent_in_closed_form_is_that_of_autograd():
    torch.manual_seed(0)
    critic = TwinCritic(6, 4, 1.3).double()
    psi = (torch.randn(9, 6).double() * 3 + 1).requires_grad_()
    expected = critic(psi).mean(0)
    (slope,) = torch.autograd.grad(expected.sum(), psi)
    value, rises = critic.ascend(psi.detach())
    torch.testing.assert_close(value, expected.detach())
    torch.testing.assert_close(rises, slope)


def test_leading_shapes_are_free():
    torch.manual_seed(0)
    critic, psi = TwinCritic(6, 4, 1.0), torch.randn(3, 5, 6)
    values = critic(psi)
    assert values.shape == (2, 3, 5)
    torch.testing.assert_close(critic(psi[1, 2]), values[:, 1, 2])
