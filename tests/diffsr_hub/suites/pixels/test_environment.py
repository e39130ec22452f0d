import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from numpy.typing import NDArray

from diffsr_hub.suites.meta_world.names import TASKS as META_WORLD_TASKS
from diffsr_hub.suites.mujoco.tasks import TASKS
from diffsr_hub.suites.pixels import environment
from diffsr_hub.suites.pixels.names import pixels_id, view_of
from tests.opengl import needs_opengl
from tests.refusal import refusal

DOOR = "metaworld/door-open-v3"


class Counter:
    """In place of a renderer: every picture is one brighter than the one before."""

    def __init__(self, *_: Any) -> None:
        self.number = -1

    def __call__(self, _: Any) -> NDArray[np.uint8]:
        self.number += 1
        return np.full((64, 64, 3), self.number, np.uint8)

    def close(self) -> None:
        pass


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything but drawing, also where nothing can be drawn."""
    monkeypatch.setattr(environment, "Renderer", Counter)


def play(env: gym.Env[Any, Any], steps: int, seed: int = 3) -> list[tuple[Any, ...]]:
    """`(observation, reward, terminated, truncated, info)` of each step, the reset first, without a reward."""
    assert isinstance(env.action_space, gym.spaces.Box)
    rng = np.random.default_rng(0)
    obs, info = env.reset(seed=seed)
    found: list[tuple[Any, ...]] = [(obs, 0.0, False, False, info)]
    while len(found) <= steps and not (found[-1][2] or found[-1][3]):
        found.append(env.step(rng.uniform(-1, 1, env.action_space.shape).astype(np.float32)))
    return found


@pytest.mark.parametrize("env_id", ["HalfCheetah-v5", "Walker2d-v5", "diffsr/Hopper-heavy-v0", DOOR])
@needs_opengl
def test_physics_rewards_and_ends_are_bit_for_bit_those_without_pictures(env_id: str) -> None:
    seen = gym.make(pixels_id(env_id), action_repeat=1)
    for (_, *ours, info), (state, *theirs, _) in zip(play(seen, 60), play(gym.make(env_id), 60), strict=True):
        assert ours == theirs
        np.testing.assert_array_equal(info["state"], state)


@pytest.mark.parametrize("env_id", ["HalfCheetah-v5", "diffsr/Walker2d-backward-v0", DOOR])
@needs_opengl
def test_the_same_seed_gives_the_same_pictures_and_another_state_others(env_id: str) -> None:
    env = gym.make(pixels_id(env_id))
    first = [step[0] for step in play(env, 20)]
    again = [step[0] for step in play(gym.make(pixels_id(env_id)), 20)]
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal([step[0] for step in play(env, 20)], first)  # after another episode too
    assert np.abs(first[-1].astype(int) - first[0]).mean() > 0.5
    assert env.observation_space.contains(first[-1])
    env.close()


@pytest.mark.usefixtures("counted")
def test_a_stack_repeats_the_first_picture_and_keeps_its_spacing() -> None:
    env = gym.make("diffsr/HalfCheetah-pixels-v0", stack=3, spacing=2)
    assert env.observation_space == gym.spaces.Box(0, 255, (3, 64, 64, 3), np.uint8)
    numbers = [obs[:, 0, 0, 0].tolist() for obs, *_ in play(env, 6)]
    assert numbers == [[0, 0, 0], [0, 0, 1], [0, 0, 2], [0, 1, 3], [0, 2, 4], [1, 3, 5], [2, 4, 6]]
    assert play(env, 0)[0][0][:, 0, 0, 0].tolist() == [7, 7, 7]  # nothing of the episode before


@pytest.mark.usefixtures("counted")
def test_a_single_picture_has_no_axis_for_the_stack() -> None:
    env = gym.make("diffsr/HalfCheetah-pixels-v0", stack=1)
    assert env.observation_space.shape == (64, 64, 3)
    obs = [step[0] for step in play(env, 3)]
    assert [int(picture.max()) for picture in obs] == [0, 1, 2, 3]  # each an array of its own


@pytest.mark.usefixtures("counted")
def test_a_repeated_action_earns_the_sum_of_its_rewards() -> None:
    env, base = gym.make("diffsr/HalfCheetah-pixels-v0", action_repeat=3), gym.make("HalfCheetah-v5")
    base.reset(seed=3)
    rng = np.random.default_rng(0)
    for _, reward, *_, info in play(env, 4)[1:]:
        action = rng.uniform(-1, 1, 6).astype(np.float32)
        steps = [base.step(action) for _ in range(3)]
        assert reward == sum(float(step[1]) for step in steps)
        np.testing.assert_array_equal(info["state"], steps[-1][0])


@pytest.mark.usefixtures("counted")
def test_an_episode_ends_within_a_repeat() -> None:
    *_, terminated, truncated, info = play(gym.make("diffsr/Hopper-pixels-v0", action_repeat=100), 1)[-1]
    held = gym.make("Hopper-v5")
    held.reset(seed=3)
    action, ended = np.random.default_rng(0).uniform(-1, 1, 3).astype(np.float32), False
    while not ended:
        state, _, ended, *_ = held.step(action)
    assert terminated and not truncated
    np.testing.assert_array_equal(info["state"], state)


@pytest.mark.usefixtures("counted")
def test_the_time_limit_counts_the_steps_of_the_environment_that_is_seen() -> None:
    last = play(gym.make("diffsr/HalfCheetah-pixels-v0", action_repeat=100), 100)
    assert len(last) == 11 and last[-1][2:4] == (False, True)


@needs_opengl
@pytest.mark.parametrize("env_id", ["Hopper-v5", DOOR])
def test_gymnasium_finds_nothing_wrong_with_it(env_id: str) -> None:
    env = gym.make(pixels_id(env_id))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*bservation.*(3 dim|shape|image)")
        check_env(env.unwrapped, skip_render_check=True)


@needs_opengl
def test_a_film_shows_what_is_seen_only_larger_and_changes_nothing() -> None:
    filmed = gym.make("diffsr/HalfCheetah-pixels-v0", stack=1, samples=1, render_mode="rgb_array")
    plain = play(gym.make("diffsr/HalfCheetah-pixels-v0", stack=1, samples=1), 5)
    filmed.reset(seed=3)
    rng = np.random.default_rng(0)
    for obs in [step[0] for step in plain[1:]]:
        picture: Any = filmed.render()
        assert picture.shape == (480, 480, 3)
        seen, *_ = filmed.step(rng.uniform(-1, 1, 6).astype(np.float32))
        np.testing.assert_array_equal(seen, obs)
    large: Any = filmed.render()
    small = large[:, :448].reshape(32, 15, 448, 3).mean(1)[:, ::7].mean(-1)  # rough, but bright stays bright
    assert np.corrcoef(small.mean(1), plain[-1][0].reshape(32, 2, 64, 3).mean((1, 2, 3)))[0, 1] > 0.9
    assert gym.make("diffsr/HalfCheetah-pixels-v0").render_mode is None
    filmed.close()


def test_every_task_can_be_seen_and_says_how() -> None:
    every = ["HalfCheetah-v5", "Hopper-v5", "Walker2d-v5", *TASKS, *META_WORLD_TASKS]
    assert {pixels_id(env_id) for env_id in every} == {name for name in gym.registry if "-pixels-" in name}
    for env_id in every[:4]:
        env: Any = gym.make(pixels_id(env_id)).unwrapped
        assert env.view == view_of(env_id)


def test_arguments_reach_the_view_or_the_environment_that_is_seen() -> None:
    env: Any = gym.make(pixels_id(DOOR), size=84, camera="corner2", goals="official").unwrapped
    assert (env.view.size, env.view.camera, env.env.unwrapped.goals) == (84, "corner2", "official")
    assert gym.make("diffsr/Hopper-pixels-v0").metadata["render_fps"] == round(125 / 4)


def test_a_camera_that_does_not_exist_is_refused_before_anything_is_drawn() -> None:
    message = refusal(lambda: gym.make(pixels_id(DOOR), camera="corner9"))
    assert "unknown camera 'corner9', valid: behindGripper, corner, corner2" in message
    assert "size of a view must be" in refusal(lambda: gym.make("diffsr/Hopper-pixels-v0", size=0))
