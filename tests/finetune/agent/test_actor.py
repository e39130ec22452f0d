"""Laws of the policies: bounded actions, densities that torch confirms, and what each answers Algorithm 2."""

import pytest
import torch
from torch.distributions import Normal, TransformedDistribution
from torch.distributions.transforms import TanhTransform

from finetune.agent.actor import DeterministicActor, GaussianActor


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def deterministic(noise: float = 0.1) -> DeterministicActor:
    torch.manual_seed(0)
    return DeterministicActor(3, 2, [16, 16], noise)


def gaussian() -> GaussianActor:
    torch.manual_seed(0)
    return GaussianActor(3, 2, [16, 16])


@pytest.mark.parametrize("actor", [deterministic(), gaussian()], ids=["deterministic", "maximum entropy"])
@pytest.mark.parametrize("scale", [1.0, 1e6])
def test_every_action_is_inside_the_bounds(actor, scale):
    obs = torch.randn(50, 3, generator=generator()) * scale
    with torch.no_grad():
        found = [actor.mode(obs), actor.explore(obs), actor.target(obs)[0], actor.improve(obs)[0]]
    for action in found:
        assert action.shape == (50, 2) and (action.abs() <= 1).all()


@pytest.mark.parametrize("actor", [deterministic(), gaussian()], ids=["deterministic", "maximum entropy"])
def test_a_generator_decides_and_the_global_one_is_not_touched(actor):
    obs, before = torch.randn(5, 3, generator=generator()), torch.get_rng_state()
    for method in (actor.explore, actor.target, actor.improve):
        one, other = (method(obs, generator(3)) for _ in range(2))
        one, other = (x[0] if isinstance(x, tuple) else x for x in (one, other))
        assert torch.equal(one, other)
    assert torch.equal(actor.mode(obs), actor.mode(obs))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_log_density_is_that_of_a_squashed_normal():
    actor, obs = gaussian(), torch.randn(200, 3, generator=generator())
    action, log_density = actor.improve(obs, generator(1))
    mean, spread = actor.network(obs).chunk(2, dim=-1)
    low, high = actor.LOG_STD
    std = (low + (high - low) * (spread.tanh() + 1) / 2).exp()
    reference = TransformedDistribution(Normal(mean, std), TanhTransform(cache_size=1))
    torch.manual_seed(0)
    inside = (action.abs() < 0.999).all(-1)  # beyond, atanh in float32 has no digits left
    assert inside.sum() > 100
    expected = reference.log_prob(action).sum(-1)
    torch.testing.assert_close(log_density[inside], expected[inside], rtol=2e-3, atol=2e-3)


def test_the_log_density_stays_finite_where_the_squashing_saturates():
    actor = gaussian()
    with torch.no_grad():
        actor.network.layers[-1].bias[:2] = 50.0
    action, log_density = actor.improve(torch.zeros(4, 3), generator())
    assert (action == 1).all() and log_density.isfinite().all()
    log_density.sum().backward()
    assert all(p.grad.isfinite().all() for p in actor.network.parameters())


def test_the_mode_is_the_mean_squashed():
    actor, obs = gaussian(), torch.randn(5, 3, generator=generator())
    torch.testing.assert_close(actor.mode(obs), actor.network(obs)[:, :2].tanh())


def test_the_entropy_coefficient_rises_below_the_target_and_falls_above_it():
    actor = gaussian()
    assert actor.target_entropy == -2
    for entropy, sign in ((-5.0, -1), (1.0, 1)):
        actor.log_entropy_coef.grad = None
        actor.entropy_loss(torch.full((8,), -entropy)).backward()
        assert actor.log_entropy_coef.grad.sign() == sign  # descent goes against it
    assert not actor.entropy_coef.requires_grad


def test_exploration_noise_has_the_standard_deviation_that_was_asked_for():
    actor, obs = deterministic(0.05), torch.zeros(20_000, 3)
    noise = actor.explore(obs, generator()) - actor.mode(obs)
    torch.testing.assert_close(noise.std(0), torch.full((2,), 0.05), rtol=0.03, atol=0)
    assert torch.equal(deterministic(0.0).explore(obs, generator()), actor.mode(obs))


def test_target_noise_is_clipped():
    actor, obs = deterministic(), torch.zeros(20_000, 3)
    action, log_density = actor.target(obs, generator())
    noise = action - actor.mode(obs)
    assert noise.abs().max() <= actor.TARGET_NOISE_BOUND + 1e-6
    torch.testing.assert_close(noise.std(0), torch.full((2,), actor.TARGET_NOISE), rtol=0.05, atol=0)
    assert not log_density.any()


def test_a_deterministic_policy_improves_its_own_mode_and_has_no_entropy():
    actor, obs = deterministic(), torch.randn(5, 3, generator=generator())
    action, log_density = actor.improve(obs, generator())
    assert torch.equal(action, actor.mode(obs)) and action.requires_grad
    assert not log_density.any() and actor.entropy_coef == 0 and actor.entropy_loss(log_density) == 0
