"""Collected pictures: what is played is what states would have been, and both are kept."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import minari
import numpy as np
import pytest

from diffsr_hub.data import Stack, load
from diffsr_hub.runs import memory
from diffsr_hub.suites.pixels.environment import make_frames
from diffsr_hub.suites.pixels.names import view_of
from diffsr_hub.suites.pixels.repeat import Repeat
from pretrain.behaviour import linear
from pretrain.behaviour.scripted import Job, play_episode
from pretrain.collect import collect
from tests.opengl import needs_opengl
from tests.refusal import refusal

pytestmark = needs_opengl
CHEETAH, DOOR = "mujoco/halfcheetah", "metaworld/door-open-v3"


def silent(_: str) -> None:
    pass


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a robot's and a task's pictures."""
    root = tmp_path_factory.mktemp("datasets")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINARI_DATASETS_PATH", str(root))
        assert collect(CHEETAH, steps=1000, pixels=32, say=silent) == [f"{CHEETAH}/pixels32/bundled-v0"]
        assert collect(f"{DOOR}/pixels32", steps=250, processes=1, say=silent) == [f"{DOOR}/pixels32/bundled-v0"]
    return root


@pytest.fixture(params=[CHEETAH, DOOR])
def dataset(request: pytest.FixtureRequest, shared: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(shared))
    return minari.load_dataset(f"{request.param}/pixels32/bundled-v0")


def test_pictures_and_states_are_what_the_environment_says_to_the_actions(dataset: Any) -> None:
    env = dataset.recover_environment()
    assert env.observation_space == dataset.observation_space
    episode = dataset[0]
    seed = next(iter(dataset.storage.get_episode_metadata([0])))["seed"]
    obs, info = env.reset(seed=seed)
    for step in range(40):
        np.testing.assert_array_equal(episode.observations[step], obs)
        np.testing.assert_array_equal(episode.infos["state"][step], info["state"])
        obs, reward, *_, info = env.step(episode.actions[step])
        assert reward == episode.rewards[step]
    raw = dataset.total_steps * 32 * 32 * 3
    assert sum(file.stat().st_size for file in dataset.storage.data_path.iterdir()) < raw  # and yet without loss
    assert len(episode.infos["state"]) == len(episode.observations) == len(episode.rewards) + 1
    env.close()


def test_the_loader_keeps_every_picture_and_the_note_says_how_they_were_seen(dataset: Any, tmp_path: Path) -> None:
    episodes = load([dataset.spec.dataset_id], stack=Stack(3), cache_dir=tmp_path)
    assert episodes.obs_shape == (3, 32, 32, 3)
    assert episodes.num_transitions == dataset.total_steps
    view = episodes.provenance[0]["view"]
    seen: Any = dataset.recover_environment().unwrapped
    assert view == {**view, **seen.view.summary(), "fingerprint": seen.view.fingerprint()}
    assert view["size"] == 32 and view["stack"] == 1


def test_a_policy_plays_from_pictures_as_from_states() -> None:
    policy = linear.load("halfcheetah").policies[0]
    played = [
        linear.rollout(env, policy, 0.1, np.random.default_rng(3))
        for env in (make_frames("HalfCheetah-v5", 16), gym.make("HalfCheetah-v5"))
    ]
    assert played[0].infos is not None and played[1].infos is None
    np.testing.assert_array_equal(played[0].infos["state"], played[1].observations)
    np.testing.assert_array_equal(played[0].rewards, played[1].rewards)


@pytest.mark.parametrize("robot", ["hopper", "walker2d"])
def test_a_robot_that_is_seen_has_policies_whose_actions_act_as_long(robot: str) -> None:
    record = linear.load(robot, 4)
    assert view_of(record.env).action_repeat == record.action_repeat == 4
    best = record.policies[0]
    reached = linear.mean_return(Repeat(gym.make(record.env), 4), best, 0.0, episodes=record.episodes, seed=10_000)
    assert reached == pytest.approx(best.returns["0.0"], abs=0.06)  # anybody can check a record
    assert reached > 20 * record.random_return


def test_an_expert_opens_the_door_from_pictures() -> None:
    played = play_episode(Job(f"{DOOR}/pixels16", "scripted", 0.0, seed=0, number=1))
    assert played.success and len(played.episode.rewards) == 250
    assert played.episode.observations.shape == (251, 16, 16, 3)


def test_pictures_that_have_no_place_are_refused_before_anything_is_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    monkeypatch.setattr(memory, "available", lambda: 10**9)
    message = refusal(lambda: collect(CHEETAH, steps=100_000, pixels=64, say=silent))
    assert "100,000 pictures of 64 × 64 need 1.2 GB of memory, and 1.0 GB are free: lower --steps" in message
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_seen_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    assert "Swimmer-v5 is not seen through a camera" in refusal(
        lambda: collect("mujoco/swimmer", steps=10, pixels=64, say=silent)
    )
    assert "size of a view must be a whole number" in refusal(lambda: collect(CHEETAH, steps=10, pixels=3, say=silent))
    assert "pixels must be at least 0" in refusal(lambda: collect(CHEETAH, pixels=-1, say=silent))
    assert not list(tmp_path.rglob("*-v0"))
