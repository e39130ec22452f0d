from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import gymnasium as gym
import minari
import numpy as np
import pytest

from diffsr_hub.data import load
from diffsr_hub.errors import UserError
from pretrain.behaviour.scripted import NOISE_LEVELS, Job, Played, _players, detours, play, play_episode
from pretrain.collect import collect

REACH = "metaworld/reach-v3"
ID = f"{REACH}/bundled-v0"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one episode of every cell."""
    root = tmp_path_factory.mktemp("datasets")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINARI_DATASETS_PATH", str(root))
        assert collect(REACH, steps=2_500, processes=1, say=lambda _: None) == [ID]
    return root


@pytest.fixture
def dataset(shared: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(shared))
    return minari.load_dataset(ID)


def same(first: Played, second: Played) -> bool:
    columns = zip(first.episode, second.episode, strict=True)
    return first.success == second.success and all(np.array_equal(one, other) for one, other in columns)


def test_every_cell_plays_whole_episodes(dataset: Any) -> None:
    kinds = list(dataset.storage.get_episode_metadata(range(5)))
    assert [(kind["policy"], kind["noise"]) for kind in kinds] == [
        ("random", 0.0),
        *(("scripted", noise) for noise in NOISE_LEVELS),
    ]
    for episode in dataset.iterate_episodes():
        assert len(episode.observations) == 501 and not episode.terminations.any()
        assert episode.truncations.tolist() == [False] * 499 + [True]
    assert not kinds[0]["success"] and kinds[1]["success"]
    cells = dataset.storage.metadata["behaviour"]["cells"]
    assert [cell["successes"] for cell in cells] == [int(kind["success"]) for kind in kinds]


def test_our_loader_and_minari_open_it(dataset: Any, tmp_path: Path) -> None:
    episodes = load([ID], cache_dir=tmp_path)
    assert (episodes.env_id, episodes.obs_dim, episodes.action_dim) == (REACH, 39, 4)
    assert dataset.env_spec.id == REACH
    assert dataset.recover_environment().observation_space == dataset.observation_space
    assert dataset.storage.metadata["behaviour"]["command"] == f"diffsr collect {REACH} --steps 2500 --seed 0"


def test_an_episode_is_a_function_of_seed_task_and_number() -> None:
    job = Job(REACH, "scripted", 0.3, seed=1, number=7)
    first = play_episode(job)
    play_episode(job._replace(number=8))
    assert same(play_episode(job), first)
    for other in (job._replace(number=8), job._replace(seed=2)):
        assert not np.array_equal(play_episode(other).episode.observations, first.episode.observations)


def test_the_data_is_what_the_environment_says_to_the_actions() -> None:
    episode = play_episode(Job("metaworld/door-open-v3", "scripted", 0.1, seed=0, number=3)).episode
    env = gym.make("metaworld/door-open-v3")  # its expert changes the observation that it is shown
    obs, _ = env.reset(seed=episode.seed)
    rows, rewards = [obs], []
    for action in episode.actions:
        obs, reward, *_ = env.step(action)
        rows.append(obs)
        rewards.append(reward)
    assert np.array_equal(rows, episode.observations) and np.array_equal(rewards, episode.rewards)


def test_the_number_of_processes_does_not_change_the_data() -> None:
    (alone,), (together,) = (list(play([REACH], 3_000, 0, processes)) for processes in (1, 2))
    for (_, one), (_, other) in zip(alone.episodes, together.episodes, strict=True):
        assert all(np.array_equal(*columns) for columns in zip(one, other, strict=True))


def test_detours_are_straight_and_take_a_share_of_the_episode() -> None:
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(200):
        actions = detours(rng)
        lost = np.isfinite(actions).all(axis=1)
        assert (np.isnan(actions).all(axis=1) | lost).all() and (np.abs(actions[lost]) <= 1).all()
        shares.append(lost.mean())
    assert 0.18 < np.mean(shares) < 0.26  # 5 of 25 steps in 500, some over each other


def test_a_process_that_dies_is_one_line() -> None:
    jobs = [Job(REACH, "nobody", 0.0, 0, i) for i in range(2)]
    with pytest.raises(UserError, match=r"one of 2 processes that played died.* fewer --processes"), _players(2, jobs):
        raise BrokenProcessPool
