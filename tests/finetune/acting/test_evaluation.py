"""Laws of evaluation: whole episodes, in the order of their seeds, as others count them, and no side effect."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv

from diffsr_hub.errors import UserError
from finetune.acting import evaluation
from finetune.acting.environments import make
from finetune.acting.evaluation import MAX_ENVIRONMENTS, Evaluation, evaluate
from tests.finetune.toys import Faulty, small_agent


@pytest.fixture(autouse=True)
def sound() -> Iterator[None]:
    Faulty.fails()
    yield
    Faulty.fails()


def one_by_one(policy: Any, env_id: str, seeds: range) -> tuple[list[float], list[int]]:
    returns, lengths = [], []
    for seed in seeds:
        env, total, steps, over = make(env_id), 0.0, 0, False
        obs, _ = env.reset(seed=seed)
        while not over:
            action, _ = policy.predict(obs, deterministic=True)
            obs, reward, terminated, truncated, _ = env.step(action)
            total, steps, over = total + float(reward), steps + 1, terminated or truncated
        returns.append(total)
        lengths.append(steps)
    return returns, lengths


@pytest.mark.parametrize("episodes", [1, 3, MAX_ENVIRONMENTS + 4])
def test_side_by_side_equals_one_by_one(episodes):
    agent = small_agent()
    found = evaluate(agent, "test/Faulty-v0", episodes, seed=7)
    returns, lengths = one_by_one(agent, "test/Faulty-v0", range(7, 7 + episodes))
    assert found.returns == pytest.approx(returns, rel=1e-4) and found.lengths == tuple(lengths)
    assert len(set(found.returns)) == episodes and found.successes == ()


def test_episodes_that_end_at_different_times_keep_their_order():
    agent = small_agent()
    found = evaluate(agent, "test/Picky-v0", 20, seed=0)
    returns, lengths = one_by_one(agent, "test/Picky-v0", range(20))
    assert found.lengths == tuple(lengths) and found.returns == pytest.approx(returns, rel=1e-3)
    assert len(set(lengths)) > 3


@pytest.mark.parametrize("env_id", ["Hopper-v5", "Pendulum-v1"])
def test_stable_baselines_counts_the_same(env_id):
    """Its `evaluate_policy` takes our agents, with its own vector of environments and with a plain one."""
    agent = small_agent(11, 3) if env_id == "Hopper-v5" else small_agent(3, 1, bound=2.0)
    ours = evaluate(agent, env_id, 1, seed=3)
    vector = DummyVecEnv([lambda: make(env_id)])
    vector.seed(3)
    returns, lengths = evaluate_policy(agent, vector, n_eval_episodes=1, return_episode_rewards=True, warn=False)
    assert lengths == list(ours.lengths)
    # their vector hands rewards on in single precision
    assert returns == pytest.approx(ours.returns, rel=1e-5)
    mean, std = evaluate_policy(agent, make(env_id), n_eval_episodes=2, warn=False)
    assert np.isfinite(mean) and std >= 0


def test_several_environments_of_stable_baselines():
    agent = small_agent()
    vector = DummyVecEnv([lambda: make("test/Faulty-v0") for _ in range(3)])
    vector.seed(0)
    returns, _ = evaluate_policy(agent, vector, n_eval_episodes=3, return_episode_rewards=True, warn=False)
    assert sorted(returns) == pytest.approx(sorted(evaluate(agent, "test/Faulty-v0", 3, seed=0).returns), rel=1e-4)


@pytest.mark.parametrize("policy", ["deterministic", "maximum_entropy"])
def test_no_randomness_is_consumed_and_the_result_is_a_function_of_the_seed(policy):
    agent = small_agent(policy=policy)
    torch.manual_seed(3)
    np.random.seed(3)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index, union-attr]
    one = evaluate(agent, "test/Faulty-v0", 3, seed=5)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()  # type: ignore[index]
    assert one == evaluate(agent, "test/Faulty-v0", 3, seed=5) != evaluate(agent, "test/Faulty-v0", 3, seed=6)


def test_success_is_ever_having_succeeded():
    found = evaluate(small_agent(), "test/Picky-v0", 3, seed=0)
    assert found.successes == (True, True, True) and found.success_rate == 1
    assert found.summary()["success_rate"] == 1


def test_an_episode_that_never_succeeds_is_a_failure_whether_it_says_so_or_not(monkeypatch):
    said = iter([{"success": False}, {}, {"success": True}, {}])

    class Says(Faulty):
        def step(self, action):
            obs, reward, _, _, _ = super().step(action)
            return obs, reward, True, False, next(said)

    monkeypatch.setattr(evaluation, "make_for_evaluation", lambda _: Says())
    monkeypatch.setattr(evaluation, "MAX_ENVIRONMENTS", 2)
    found = evaluate(small_agent(), "test/Faulty-v0", 4, seed=0)
    assert found.successes == (False, False, True, False) and found.success_rate == 0.25


def test_no_official_goal_is_evaluated_twice():
    with pytest.raises(UserError, match=r"reach-v3 has 50 different episodes.*at most 50, got 51"):
        evaluate(small_agent(39, 4), "metaworld/reach-v3", 51, seed=0)


def test_the_summary_is_statistics_and_every_episode():
    found = Evaluation((1.0, 3.0), (10, 20)).summary()
    assert found["mean_return"] == 2 and found["std_return"] == 1 and found["mean_length"] == 15
    assert found["returns"] == [1, 3] and found["lengths"] == [10, 20] and "success_rate" not in found


@pytest.mark.parametrize("episodes", [0, -1])
def test_no_episodes_are_refused(episodes):
    with pytest.raises(UserError, match=f"at least 1, got {episodes}"):
        evaluate(small_agent(), "test/Faulty-v0", episodes, seed=0)


@pytest.mark.parametrize(("seed", "episodes"), [(-1, 1), (2**31, 1), (2**31 - 1, 2)])
def test_seeds_that_not_every_environment_takes_are_refused(seed, episodes):
    with pytest.raises(UserError, match=rf"seeds of episodes must be from 0 to 2147483647, got {seed} for the first"):
        evaluate(small_agent(), "test/Faulty-v0", episodes, seed)
    assert len(evaluate(small_agent(), "test/Faulty-v0", 1, seed=2**31 - 1).returns) == 1


@pytest.mark.parametrize("fault", ["raise", "nan_obs", "nan_reward", "raise_in_reset"])
def test_a_failing_environment_is_one_line(fault):
    Faulty.fails(fault, at=0 if fault == "raise_in_reset" else 13)
    with pytest.raises(UserError, match=r"raised \w+: the simul|NaN or infinite") as error:
        evaluate(small_agent(), "test/Faulty-v0", 2, seed=0)
    assert "\n" not in str(error.value)


def test_what_is_observed_at_a_reset_is_looked_at_before_the_policy_sees_it():
    Faulty.fails("nan_in_reset")
    with pytest.raises(UserError, match="NaN or infinite"):
        evaluate(small_agent(), "test/Faulty-v0", 1, seed=0)
    assert Faulty.calls == 0


def test_an_episode_without_an_end_is_one_line(monkeypatch):
    monkeypatch.setattr(evaluation, "LONGEST_EPISODE", 10)
    assert evaluate(small_agent(), "test/Faulty-v0", 2, seed=0).lengths == (10, 10)
    Faulty.fails("endless")
    with pytest.raises(UserError, match="not ended after 10 steps: register it with max_episode_steps"):
        evaluate(small_agent(), "test/Faulty-v0", 2, seed=0)
    assert Faulty.calls == 20
