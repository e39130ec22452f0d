import json
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from diffsr_hub.errors import UserError
from pretrain.behaviour import linear
from pretrain.behaviour.linear import NOISE_LEVELS, LinearPolicy, Record, load, mean_return, robots, rollout, save

# What the project promises of its best policies; of the other robots only what their record claims.
PROMISED = {"hopper": 2000.0, "halfcheetah": 3000.0, "walker2d": 1500.0}


@pytest.fixture
def record() -> Record:
    rng = np.random.default_rng(0)
    policies = tuple(
        LinearPolicy(name, rng.normal(size=(3, 11)), rng.normal(size=3), {"0.0": 1.5, "0.4": -2.0})
        for name in ("best", "weak")
    )
    return Record("Hopper-v5", "none {in} [particular]", "python x.py --seed 0", "3.3.0", 20, 12.8, policies)


def test_a_saved_record_loads_bit_equal(record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(record, tmp_path / "robot.json")
    monkeypatch.setattr(linear, "POLICIES", tmp_path)
    monkeypatch.setattr(linear, "robots", lambda: ["robot"])
    loaded = load("robot")
    assert [loaded.env, loaded.algorithm, loaded.command] == [record.env, record.algorithm, record.command]
    assert [loaded.mujoco, loaded.episodes, loaded.random_return] == ["3.3.0", 20, 12.8]
    for ours, theirs in zip(loaded.policies, record.policies, strict=True):
        assert (ours.name, ours.returns) == (theirs.name, theirs.returns)
        np.testing.assert_array_equal(ours.weight, theirs.weight)
        np.testing.assert_array_equal(ours.bias, theirs.bias)


def test_a_record_is_readable_and_leaves_no_other_file(record: Record, tmp_path: Path) -> None:
    save(record, tmp_path / "robot.json")
    assert [file.name for file in tmp_path.iterdir()] == ["robot.json"]
    lines = (tmp_path / "robot.json").read_text().splitlines()
    rows = [line.strip().rstrip(",") for line in lines if line.strip().startswith("[")]
    assert [len(json.loads(row)) for row in rows] == [11] * 6  # one row of a matrix per line
    assert '   "returns": {"0.0": 1.5, "0.4": -2.0}' in lines


def test_an_unknown_robot_lists_those_with_policies() -> None:
    with pytest.raises(UserError, match=r"unknown robot 'hoper', valid: .*hopper.*; did you mean hopper\?"):
        load("hoper")


@pytest.mark.parametrize("noise", NOISE_LEVELS)
def test_an_episode_ends_once_and_at_its_last_step(noise: float, record: Record) -> None:
    env = gym.make("Hopper-v5")
    episode = rollout(env, record.policies[0], noise, np.random.default_rng(1))
    ends = episode.terminations | episode.truncations
    steps = len(episode.rewards)
    assert ends[-1] and not ends[:-1].any()
    assert episode.observations.shape == (steps + 1, 11) and episode.actions.shape == (steps, 3)
    assert [column.dtype for column in episode[1:6]] == [np.float64, np.float32, np.float64, np.bool_, np.bool_]


def test_an_episode_can_be_played_again_from_its_seed_and_actions() -> None:
    env = gym.make("Hopper-v5")
    episode = rollout(env, None, 0.0, np.random.default_rng(2))
    again, _ = env.reset(seed=episode.seed)
    np.testing.assert_array_equal(again, episode.observations[0])
    for step, action in enumerate(episode.actions):
        again, reward, *_ = env.step(action)
        np.testing.assert_array_equal(again, episode.observations[step + 1])
        assert reward == episode.rewards[step]


def test_actions_keep_the_bounds_of_the_environment() -> None:
    env = gym.make("Humanoid-v5")  # acts in [-0.4, 0.4]
    assert isinstance(env.action_space, gym.spaces.Box)
    rng = np.random.default_rng(0)
    wild = LinearPolicy("wild", rng.normal(size=(17, 348)), np.zeros(17))
    for policy in (None, wild):
        actions = rollout(env, policy, 0.2, rng).actions
        assert all(action in env.action_space for action in actions)
        assert np.abs(actions).max() > 0.3


def test_noise_is_a_fraction_of_half_the_action_range() -> None:
    env = gym.make("InvertedPendulum-v5")  # acts in [-3, 3]
    still, rng = LinearPolicy("still", np.zeros((1, 4)), np.zeros(1)), np.random.default_rng(0)
    actions = np.concatenate([rollout(env, still, 0.1, rng).actions for _ in range(60)])
    assert len(actions) > 500 and actions.std() == pytest.approx(0.3, rel=0.1)


def test_every_robot_with_bundled_data_has_policies_and_no_other() -> None:
    assert {file.stem for file in linear.POLICIES.glob("*.json")} == set(robots())


@pytest.mark.parametrize("robot", robots())
def test_the_tiers_of_a_robot_are_different_policies_and_in_their_order(robot: str) -> None:
    policies = load(robot).policies
    assert [policy.name for policy in policies] == ["best", "medium", "weak"]
    assert len({policy.weight.tobytes() + policy.bias.tobytes() for policy in policies}) == 3
    returns = [policy.returns["0.0"] for policy in policies]
    assert returns == sorted(set(returns), reverse=True)


@pytest.mark.parametrize("robot", robots())
def test_the_best_bundled_policy_runs_as_its_record_says(robot: str) -> None:
    record = load(robot)
    best = record.policies[0]
    claimed = best.returns["0.0"]
    assert best.name == "best" and claimed == max(policy.returns["0.0"] for policy in record.policies)
    assert claimed >= PROMISED.get(robot, -np.inf)
    measured = mean_return(gym.make(record.env), best, 0.0, episodes=3, seed=123)
    assert measured >= claimed - 0.15 * abs(claimed)
    assert record.random_return < 0.3 * claimed
    for policy in record.policies:
        assert [float(noise) for noise in policy.returns] == list(NOISE_LEVELS)
