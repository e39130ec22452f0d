"""Laws of Algorithm 2's updates: targets by hand, moving averages, and what no gradient may reach."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diffsr_hub.transitions import Transitions
from finetune.learning.batch import Batch, Scale
from finetune.learning.diffsr_learner import SMALLEST_STD, DiffSRLearner, LearnerConfig, follow
from finetune.learning.replay import Replay
from tests.finetune.toys import settings, small_agent

POLICIES = ["deterministic", "maximum_entropy"]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(size: int = 16, seed: int = 0, n: int = 1) -> Batch:
    g = generator(seed)
    states = torch.randn(size + 1, 3, generator=g)
    action = torch.rand(size, 2, generator=g) * 2 - 1
    return of_episode(states, action, torch.randn(size, generator=g), n=n, discount=0.9, terminated=True)


def of_episode(states: Tensor, action: Tensor, reward: Tensor, *, n: int, discount: float, terminated: bool) -> Batch:
    """All steps of an episode, in order, with their n-step returns."""
    length = len(reward)
    replay = Replay(length, states.shape[1], action.shape[1], n=n, discount=discount)
    for t in range(length):
        step = (c[t : t + 1] for c in (states, action, reward, states[1:]))
        is_last = torch.tensor([t == length - 1])
        replay.add(Transitions(*step, terminated=is_last & terminated), is_last)
    return replay.all()


def learner(
    *, learns: bool = True, policy: Any = "deterministic", starts: int = 0, measures: bool = False, **changes: Any
) -> DiffSRLearner:
    torch.manual_seed(0)
    return DiffSRLearner(
        small_agent(policy=policy),
        settings(policy=policy, **changes).part(LearnerConfig),
        learns_representation=learns,
        representation_starts=starts,
        measures_obs=measures,
        generator=generator(),
    )


def copies(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def changed(module: nn.Module, before: dict[str, Tensor]) -> set[str]:
    return {name for name, tensor in module.state_dict().items() if not torch.equal(tensor, before[name])}


class Stub(nn.Module):
    """Critics whose values are the first number of the observation plus 1 and plus 2, through a ψ that copies it."""

    def forward(self, psi: Tensor) -> Tensor:
        return torch.stack([psi[:, 0] + 2, psi[:, 0] + 1])


def stubbed(entropy_coef: float = 0.0, log_density: float = 0.0) -> DiffSRLearner:
    """A learner whose policy, ψ and critics are known in the head."""
    found = learner()
    actor = SimpleNamespace(
        target=lambda obs, g: (torch.zeros(len(obs), 2), torch.full((len(obs),), log_density)),
        entropy_coef=torch.tensor(entropy_coef),
    )
    found.agent = SimpleNamespace(actor=actor)  # type: ignore[assignment]
    found.target_critic, found.target_psi = Stub(), nn.Identity()
    return found


@pytest.mark.parametrize(("terminated", "last"), [(False, [8 + 0.5 * 41.0]), (True, [8.0])])
def test_td_target_by_hand_for_one_step(terminated, last):
    """Rewards 1, 2, 4, 8, γ = ½; min Q̄(s') = s' + 1, s' = 10, 20, 30, 40. Truncation bootstraps, the end does not."""
    found = stubbed().td_target(episode(terminated, n=1))
    assert found.tolist() == [1 + 0.5 * 11, 2 + 0.5 * 21, 4 + 0.5 * 31, *last]


@pytest.mark.parametrize("terminated", [False, True])
def test_td_target_by_hand_for_three_steps(terminated):
    """Three rewards and γ³, or as many as the episode still has: γ², γ."""
    found = stubbed().td_target(episode(terminated, n=3))
    end = 0.0 if terminated else 41.0
    assert found.tolist() == [3 + 31 / 8, 6 + end / 8, 8 + end / 4, 8 + end / 2]


def episode(terminated: bool, n: int) -> Batch:
    states = torch.tensor([0.0, 10.0, 20.0, 30.0, 40.0])[:, None].expand(-1, 3)
    return of_episode(states, torch.zeros(4, 2), torch.tensor([1.0, 2, 4, 8]), n=n, discount=0.5, terminated=terminated)


def test_entropy_is_paid_for_in_the_target_where_the_future_is():
    """α = 0.2 and log π = −5: the soft value is higher by 1."""
    found = stubbed(entropy_coef=0.2, log_density=-5.0).td_target(episode(True, n=1))
    assert found.tolist() == pytest.approx([1 + 0.5 * 12, 2 + 0.5 * 22, 4 + 0.5 * 32, 8.0])


@pytest.mark.parametrize("policy", POLICIES)
def test_the_target_is_made_of_the_target_networks_and_has_no_gradient(policy):
    found, data = learner(policy=policy), batch()
    before = found.td_target(data)
    assert not before.requires_grad
    for parameter in [*found.agent.critic.parameters(), *found.agent.encoder.parameters()]:
        parameter.data.zero_()
    found.generator.manual_seed(0)
    again = learner(policy=policy).td_target(data)
    assert torch.equal(before, again) and torch.equal(found.td_target(data), again)
    next(iter(found.target_critic.parameters())).data.zero_()
    found.generator.manual_seed(0)
    assert not torch.equal(found.td_target(data), again)


@pytest.mark.parametrize("tau", [0.0, 0.5, 1.0])
def test_polyak_average(tau):
    averages, newest = [torch.tensor([1.0, 2.0])], [torch.tensor([3.0, 6.0])]
    follow(averages, newest, tau)
    assert averages[0].tolist() == [1 + 2 * tau, 2 + 4 * tau]
    assert newest[0].tolist() == [3, 6]


@pytest.mark.parametrize("tau", [0.0, 0.5, 1.0])
def test_the_averages_follow_critics_psi_nu_and_policy_by_tau(tau):
    found = learner(tau=tau, average_policy=True)
    agent = found.agent
    pairs = [(found.target_critic, agent.critic), (found.target_psi, agent.encoder.psi_network)]
    pairs.append((found.target_score, agent.encoder.score_network))
    pairs.append((found.exported_actor, agent.actor))
    before = [copies(target) for target, _ in pairs]
    found.update(batch())
    for (target, newest), old in zip(pairs, before, strict=True):
        for name, tensor in target.state_dict().items():
            expected = (1 - tau) * old[name] + tau * newest.state_dict()[name]
            torch.testing.assert_close(tensor, expected, rtol=1e-5, atol=1e-7)
            assert tau > 0 or torch.equal(tensor, old[name])


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("learns", [False, True])
def test_no_gradient_reaches_a_target_and_no_graph_grows(policy, learns):
    found = learner(policy=policy, learns=learns)
    for i in range(4):
        metrics = found.update(batch(seed=i)._replace(imitated=4, imitation_coef=0.5))
    averages = [found.target_critic, *([found.target_psi, found.target_score] if learns else [])]
    targets = [parameter for average in averages for parameter in average.parameters()]
    for tensor in [*targets, *found.averages]:
        assert tensor.grad is None and not tensor.requires_grad and tensor.grad_fn is None
    assert not any(tensor.requires_grad for tensor in metrics.values())


@pytest.mark.parametrize("policy", POLICIES)
def test_a_frozen_encoder_stays_bit_for_bit_and_the_rest_learns(policy):
    found = learner(policy=policy, learns=False)
    encoder, critic, actor = (copies(m) for m in (found.agent.encoder, found.agent.critic, found.agent.actor))
    for i in range(5):
        found.update(batch(seed=i))
    assert changed(found.agent.encoder, encoder) == set()
    assert changed(found.agent.critic, critic) == set(critic)
    assert changed(found.agent.actor, actor) == set(actor)


def test_a_fine_tuned_encoder_changes_but_not_its_statistics_and_schedule():
    found = learner()
    before = copies(found.agent.encoder)
    for i in range(3):
        found.update(batch(seed=i))
    moved = changed(found.agent.encoder, before)
    assert any(name.startswith("psi_network") for name in moved)
    assert any(name.startswith("score_network") for name in moved)
    assert not moved & {"obs_mean", "obs_std", "reward_mean", "reward_std", "fourier.omega"}
    assert not any("schedule" in name for name in moved)


def test_critics_and_policy_send_no_gradient_into_psi():
    """Its only losses are its own: with their rates at almost zero, it stays, whatever critics and policy do."""
    found = learner(representation_rate=1e-30, reward_coef=0.0)
    before = copies(found.agent.encoder.psi_network)
    for i in range(3):
        found.update(batch(seed=i))
    assert changed(found.agent.encoder.psi_network, before) == set()


def test_the_policy_leaves_the_critics_alone():
    found = learner()
    normal = found._normalized(batch())
    critic, actor = copies(found.agent.critic), copies(found.agent.actor)
    found._update_actor(normal, torch.zeros(16, 6))
    assert changed(found.agent.critic, critic) == set() and changed(found.agent.actor, actor)
    assert all(p.grad is None for p in found.agent.critic.parameters())


def test_the_policy_climbs_the_critics():
    found = learner(learns=False, learning_rate=3e-3)
    data = found._normalized(batch(64))

    def value() -> float:
        with torch.no_grad():
            action = found.agent.actor.mode(data.obs)
            return float(found.agent.critic(found._psi(data.obs, action)).mean())

    before = value()
    for _ in range(50):
        found._update_actor(data, torch.zeros(64, 6))
    assert value() > before + 0.01


def test_the_critics_regress_their_target():
    found = learner(learns=False, learning_rate=1e-2, tau=0.0)
    data = batch(16, n=1)
    data = data._replace(bootstrap_discount=torch.zeros(16))
    losses = [float(found.update(data)["critic_loss"]) for _ in range(300)]
    assert losses[-1] < 0.2 * losses[0]


@pytest.mark.parametrize("factor", [10.0, 1e-3])
def test_rewards_are_counted_in_their_own_scale(factor):
    """A thousand times the rewards, and a thousand times their scale: the same weights; values in units of reward."""
    one, other = learner(), learner()
    other.agent.reward_scale.mul_(factor)
    for i in range(3):
        data = batch(seed=i)
        one.update(data)
        other.update(data._replace(reward=data.reward * factor, n_step_return=data.n_step_return * factor))
    for name, tensor in one.agent.state_dict().items():
        if name != "reward_scale":
            torch.testing.assert_close(other.agent.state_dict()[name], tensor, rtol=1e-3, atol=1e-5)
    obs, action = torch.zeros(2, 3), torch.zeros(2, 2)
    torch.testing.assert_close(
        other.agent.value(obs, action), factor * one.agent.value(obs, action), rtol=1e-3, atol=1e-5
    )


def test_observations_are_normalised_as_the_encoder_does():
    one, other = learner(), learner()
    mean, std = torch.tensor([5.0, -3.0, 0.0]), torch.tensor([2.0, 0.1, 7.0])
    other.agent.encoder.set_statistics(mean, std, torch.zeros(()), torch.ones(()))
    data = batch()
    raw = data._replace(**{f: getattr(data, f) * std + mean for f in ("obs", "next_obs", "bootstrap_obs")})
    for _ in range(2):
        found = [one.update(data), other.update(raw)]
    for name in found[0]:
        torch.testing.assert_close(found[0][name], found[1][name], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("imitate", ["better", "successes"])
def test_imitation_pulls_the_policy_to_better_actions_or_to_all_that_it_is_shown(imitate):
    found = learner(learns=False, learning_rate=1e-2, imitate=imitate, offline_dataset="a/b-v0")
    data = batch()._replace(action=torch.full((16, 2), 0.7), imitated=16, imitation_coef=1.0)
    found._psi = lambda obs, action: torch.zeros(len(obs), 6) + 0 * action.sum()  # type: ignore[method-assign]
    del found.agent.critic
    found.agent.critic = FirstNumber()
    start = copies(found.agent.actor)
    ends = []
    for advantage in (-1.0, 1.0):
        found.agent.actor.load_state_dict(start)
        for _ in range(100):
            found._update_actor(data, torch.full((16, 6), advantage))
        with torch.no_grad():
            ends.append(float((found.agent.actor.mode(data.obs) - 0.7).abs().mean()))
    worse, better = ends
    assert better < 0.1
    assert worse < 0.1 if imitate == "successes" else worse > 0.1


class FirstNumber(nn.Module):
    """Critics that pay the first number of ψ."""

    def forward(self, psi: Tensor) -> Tensor:
        return psi[:, 0].expand(2, -1)

    def ascend(self, psi: Tensor) -> tuple[Tensor, Tensor]:
        return psi[:, 0], F.one_hot(torch.zeros(len(psi), dtype=torch.long), psi.shape[-1]).float()


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("learns", [False, True])
def test_going_on_from_a_state_equals_not_having_stopped(policy, learns):
    make: Callable[[], DiffSRLearner] = lambda: learner(policy=policy, learns=learns)  # noqa: E731
    whole, first, second = make(), make(), make()
    for i in range(5):
        whole.update(batch(seed=i))
        if i < 3:
            first.update(batch(seed=i))
    for parameter in second.agent.parameters():
        parameter.data.zero_()
    second.load_state_dict(first.state_dict())
    second.generator.set_state(first.generator.get_state())
    for i in range(3, 5):
        second.update(batch(seed=i))
    assert second.updates == whole.updates == 5
    assert changed(whole.agent, copies(second.agent)) == set()
    assert changed(whole.target_critic, copies(second.target_critic)) == set()


def test_delays_are_counted_in_updates_of_the_critics():
    found = learner(policy_delay=3, representation_every=2)
    seen = [found.update(batch(seed=i)) for i in range(6)]
    assert ["policy_value" in metrics for metrics in seen] == [True, False, False] * 2
    assert ["diffusion_loss" in metrics for metrics in seen] == [True, False] * 3


def test_all_randomness_is_the_generators():
    torch.manual_seed(5)
    before, found = torch.get_rng_state(), None
    with torch.random.fork_rng():
        found = learner(policy="maximum_entropy")
    found.update(batch())
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("learns", [False, True])
def test_a_finished_agent_values_with_the_psi_that_its_critics_learned_on(learns):
    found = learner(learns=learns, representation_rate=1e-2)
    for i in range(5):
        found.update(batch(seed=i))
    data, agent = batch(), found.finished_agent()
    normal = found.agent.encoder.normalize(data.obs)
    with torch.no_grad():
        expected = found.agent.critic(found._psi(normal, data.action)) * found.agent.reward_scale
        torch.testing.assert_close(agent.value(data.obs, data.action), expected, rtol=0, atol=0)
        assert torch.equal(agent.value(data.obs, data.action), found.agent.value(data.obs, data.action)) is not learns


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("average", [False, True])
def test_a_finished_agent_acts_with_its_newest_policy_or_with_the_average(policy, average):
    found = learner(policy=policy, average_policy=average)
    for i in range(5):
        found.update(batch(seed=i))
    obs, agent = batch().obs, found.finished_agent()
    expected = agent.to_env(found.exported_actor.mode(agent.encoder.normalize(obs)).detach())
    newest, exported = (a.predict(obs.numpy(), deterministic=True)[0] for a in (found.agent, agent))
    assert np.array_equal(exported, expected) and np.array_equal(exported, newest) is not average


def test_a_finished_agent_holds_psi_and_nu_that_belong_together():
    """Both are averages over the same updates: the energy is that of neither the newest pair nor a mixed one."""
    found = learner(representation_rate=1e-2, tau=0.1)
    for i in range(5):
        found.update(batch(seed=i))
    finished = found.finished_agent().encoder
    assert changed(finished.psi_network, copies(found.target_psi)) == set()
    assert changed(finished.score_network, copies(found.target_score)) == set()
    newest = found.agent.encoder
    assert changed(finished.score_network, copies(newest.score_network)) != set()


def exported(reward_head: bool, *, learns: bool = True) -> tuple[DiffSRLearner, Batch, Any]:
    """A learner whose representation has moved far, what it saw, and what it exports."""
    torch.manual_seed(0)
    agent = small_agent(encoder={"predict_reward": reward_head})
    config = settings(representation_rate=3e-2, tau=0.5).part(LearnerConfig)
    found = DiffSRLearner(agent, config, learns_representation=learns, generator=generator())
    agent.encoder.unexplained.fill_(123.0)
    for i in range(30):
        found.update(batch(256, seed=i))
    seen = batch(4_000, seed=99)
    psi = found.finished_agent().encoder.psi(seen.obs, seen.action).detach()
    seen = seen._replace(reward=2 * psi[:, 0] - psi[:, 1] + 3)
    return found, seen, found.exported_agent(seen).encoder


def test_an_exported_encoder_predicts_the_reward_from_the_psi_that_it_holds():
    _, seen, encoder = exported(reward_head=True)
    torch.testing.assert_close(encoder.predict_reward(seen.obs, seen.action), seen.reward, rtol=1e-3, atol=1e-3)


def test_an_exported_encoder_samples_with_the_variances_of_the_psi_and_nu_that_it_holds():
    _, seen, encoder = exported(reward_head=False)
    g = generator(5)
    for level in (0, encoder.config.num_levels - 1):
        noise = torch.randn(len(seen.obs), 3, generator=g)
        levels = torch.full((len(seen.obs),), level)
        data = Transitions(*seen.columns[:4], torch.zeros(len(seen.obs), dtype=torch.bool))
        residual = encoder.denoising_residual(data, levels, noise).square().mean(0)
        torch.testing.assert_close(encoder.unexplained[level], residual, rtol=0.2, atol=0.02)


def test_an_exported_frozen_encoder_stays_as_it_was_bit_for_bit():
    found, _, encoder = exported(reward_head=True, learns=False)
    assert changed(encoder, copies(found.agent.encoder)) == set() and (encoder.unexplained == 123).all()


def test_the_representation_rests_until_its_first_update():
    found = learner(starts=3)
    assert ["diffusion_loss" in found.update(batch(seed=i)) for i in range(5)] == [False, False, False, True, True]


def test_it_takes_the_scale_of_what_is_seen_where_there_is_none_yet():
    scale = Scale(torch.tensor(4.0), torch.tensor([1.0, 2, 3]), torch.tensor([0.5, 0.0, 2]))
    pretrained, fresh = learner(), learner(measures=True)
    before = copies(pretrained.agent.encoder)
    for found in (pretrained, fresh):
        found.measure(scale)
        assert found.agent.reward_scale == 4
        found.measure(scale._replace(reward=torch.tensor(0.0)))
        assert found.agent.reward_scale == 1
    assert changed(pretrained.agent.encoder, before) == set()
    assert fresh.agent.encoder.obs_mean.tolist() == [1, 2, 3]
    assert fresh.agent.encoder.obs_std.tolist() == pytest.approx([0.5, SMALLEST_STD, 2])


def test_it_acts_as_its_agent_explores():
    found, obs = learner(), batch().obs
    expected = found.agent.actor.explore(found.agent.encoder.normalize(obs), generator())
    assert torch.equal(found.act(obs), expected)
