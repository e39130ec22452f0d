"""Laws of the critics: two of them are two, their angles have the bandwidth, and the hand-written gradient is right."""

import pytest
import torch
import torch.nn.functional as F

from finetune.critic import TwinCritic, sin_cos


def test_sin_cos_has_the_values_and_the_gradient_of_autograd():
    x = torch.randn(4, 3, 5, dtype=torch.double, generator=torch.Generator().manual_seed(0), requires_grad=True)
    expected = torch.cat([x.sin(), x.cos()], dim=-1)
    assert torch.equal(sin_cos(x), expected)
    assert torch.autograd.gradcheck(sin_cos, x)
    weight = torch.randn_like(expected)
    (ours,) = torch.autograd.grad((sin_cos(x) * weight).sum(), x)
    (theirs,) = torch.autograd.grad((expected * weight).sum(), x)
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("hidden", [0, 7])
def test_twin_critics_are_two_critics_computed_one_by_one(hidden):
    torch.manual_seed(0)
    critic, psi = TwinCritic(6, 4, hidden, 1.0), torch.randn(9, 6) * 3 + 1
    with torch.no_grad():
        for parameter in critic.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    values = critic(psi)
    assert values.shape == (2, 9)
    normal = F.layer_norm(psi, (6,))
    for i in range(2):
        angle = normal @ critic.omega[:, 4 * i : 4 * (i + 1)]
        layer = torch.cat([angle.sin(), angle.cos()], dim=-1)
        if critic.hidden is not None:
            layer = (layer @ critic.hidden[i] + critic.hidden_bias[i]).relu()
        torch.testing.assert_close(values[i], (layer @ critic.out[i] + critic.out_bias[i]).squeeze(-1))


@pytest.mark.parametrize("hidden", [0, 7])
def test_the_twins_share_no_weights(hidden):
    torch.manual_seed(0)
    critic = TwinCritic(6, 4, hidden, 1.0)
    critic(torch.randn(9, 6))[0].sum().backward()
    assert not critic.omega.grad[:, 4:].any() and critic.omega.grad[:, :4].any()
    for name, parameter in critic.named_parameters():
        if name != "omega":
            assert not parameter.grad[1].any() and parameter.grad[0].any(), name


@pytest.mark.parametrize("bandwidth", [0.5, 2.0])
@pytest.mark.parametrize("scale", [1e-2, 1.0, 1e3])
def test_bandwidth_is_the_standard_deviation_of_the_angles_whatever_the_scale_of_psi(bandwidth, scale):
    torch.manual_seed(0)
    critic = TwinCritic(128, 500, 0, bandwidth)
    psi = torch.randn(500, 128) * scale + scale
    angle = F.layer_norm(psi, (128,)) @ critic.omega
    rough = 0.1 if scale == 1e-2 else 0.02  # LayerNorm's own ε
    torch.testing.assert_close(angle.std(), torch.tensor(bandwidth), rtol=rough, atol=0)
