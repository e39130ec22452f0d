"""Laws of the environments an agent can live in: bounded actions, flat observations, one line for all else."""

import gymnasium as gym
import numpy as np
import pytest

from diffsr_hub.errors import UserError
from diffsr_hub.model.env_check import parts
from finetune.acting.environments import different_episodes, make, make_for_evaluation
from tests.finetune import toys


@pytest.mark.parametrize("env_id", ["Hopper-v5", "diffsr/Hopper-backward-v0", "test/OneStep-v0"])
def test_an_environment_with_flat_observations_is_left_as_it_is(env_id):
    env = make(env_id)
    assert not isinstance(env, gym.wrappers.FlattenObservation)
    assert env.spec is not None and env.spec.id == env_id


def test_other_observations_are_flattened():
    env = make("test/Dictionary-v0")
    assert env.observation_space.shape == (3,)
    assert env.reset(seed=0)[0].tolist() == [0, 1, 5]


def test_keys_are_flattened_in_the_order_of_their_names():
    env = make("test/Unsorted-v0")
    obs, _ = env.reset(seed=0)
    assert obs.tolist() == [1, 5] and list(parts(env.observation_space)) == ["angle", "velocity"]


def test_arguments_reach_the_environment():
    env = make("Hopper-v5", render_mode="rgb_array")
    assert env.render_mode == "rgb_array"


@pytest.mark.parametrize(
    ("env_id", "message"),
    [
        ("Hoper-v5", "cannot make the environment 'Hoper-v5'"),
        ("diffsr/Hopper-sideways-v0", "unknown MuJoCo task.*diffsr/Hopper-backward-v0"),
        ("no_such_module:A-v0", "cannot make"),
        ("", "cannot make"),
        ("test/Unmakeable-v0", "cannot make the environment 'test/Unmakeable-v0': 'licence'"),
        ("CartPole-v1", r"actions Discrete\(2\)"),
        ("test/Unbounded-v0", "finite bounds"),
        ("test/Matrix-v0", "one axis"),
        ("test/Whole-v0", "floating-point"),
        ("test/Text-v0", "cannot be flattened"),
        ("diffsr/Hopper-pixels-v0", "observations that are images .* no agent for them yet"),
        ("metaworld/door-open-pixels-v3", "no agent for them yet"),
    ],
)
def test_what_no_agent_can_live_in_is_named_in_one_line(env_id, message):
    with pytest.raises(UserError, match=message) as error:
        make(env_id)
    assert "\n" not in str(error.value)


@pytest.mark.filterwarnings("ignore:.*we recommend using")
def test_the_toys_are_sound():
    from gymnasium.utils.env_checker import check_env

    toys.Faulty.fails()
    for name in ("OneStep", "LQR", "Faulty"):
        check_env(gym.make(f"test/{name}-v0").unwrapped, skip_render_check=True)


def test_meta_worlds_tasks_go_by_their_names():
    env = make("metaworld/reach-v3")
    first, again = (env.reset(seed=seed)[0] for seed in (0, 0))
    assert np.array_equal(first, again) and not np.array_equal(first[36:], env.reset(seed=50)[0][36:])
    official = make_for_evaluation("metaworld/reach-v3")
    goals = [official.reset(seed=seed)[0][36:] for seed in (0, 50, 1)]
    assert np.array_equal(goals[0], goals[1]) and not np.array_equal(goals[0], goals[2])


@pytest.mark.parametrize(
    ("env_id", "message"),
    [
        ("metaworld/reach-v2", r"unknown Meta-World task .*did you mean metaworld/reach-v3\?"),
        ("metaworld/ml10-test", r"metaworld/ml10-test is a group; name one of its tasks: metaworld/door-close-v3, "),
    ],
)
def test_what_is_no_task_of_meta_world_is_named(env_id, message):
    with pytest.raises(UserError, match=message):
        make(env_id)


def test_meta_world_missing_is_said_as_it_is(monkeypatch):
    def missing():
        raise UserError("Meta-World is not installed: pip install 'diffsr-hub[metaworld]'")

    monkeypatch.setattr("diffsr_hub.suites.meta_world.environment.check_installation", missing)
    with pytest.raises(UserError, match=r"^Meta-World is not installed"):
        make("metaworld/reach-v3")


def test_the_episodes_of_an_evaluation_that_can_differ():
    assert different_episodes("metaworld/reach-v3") == 50 and different_episodes("Hopper-v5") is None
