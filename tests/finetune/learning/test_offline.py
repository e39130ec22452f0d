"""Laws of offline data: whole episodes in the order they were, worth what the online task pays for them."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import minari
import numpy as np
import pytest
import torch
from minari.data_collector.episode_buffer import EpisodeBuffer

from diffsr_hub.data import load
from diffsr_hub.data.minari.successes import successes
from diffsr_hub.errors import UserError
from diffsr_hub.suites.mujoco.rewards import HOPPER, fallen
from diffsr_hub.suites.mujoco.suite import MUJOCO
from diffsr_hub.suites.mujoco.tasks import TASKS
from diffsr_hub.transitions import Transitions
from finetune.learning.batch import Batch
from finetune.learning.offline import OfflineData, load_offline
from finetune.learning.replay import Replay
from tests.finetune.learning.stored import write
from tests.machine import isolate

BACKWARD = "diffsr/Hopper-backward-v0"


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("offline")
    with pytest.MonkeyPatch.context() as patch:
        isolate(patch, folder)
        MUJOCO.register()
        write("hopper/random-v0", "Hopper-v5")
        write("hopper/some-v0", "Hopper-v5", episodes=12, steps=15)
        write("hopper/falls-v0", "Hopper-v5", terminate_when_unhealthy=False)
        write("walker/random-v0", "Walker2d-v5", episodes=1)
        write("backward/random-v0", "diffsr/Hopper-backward-v0", episodes=1)
        write("cheetah/random-v0", "HalfCheetah-v5", episodes=1)
        write("narrow/random-v0", "test/OneStep-v0", episodes=30)
        write("nested/random-v0", "test/Unsorted-v0", episodes=1, steps=3)
    return folder


@pytest.fixture(autouse=True)
def machine(datasets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    isolate(monkeypatch, datasets)


def loaded(dataset: str, env_id: str, sizes: tuple[int, int] = (11, 3), **changes: Any) -> OfflineData:
    return load_offline(dataset.split(","), env_id, sizes=sizes, **{"n": 3, "discount": 0.99, **changes})


def offline(dataset: str, env_id: str, sizes: tuple[int, int] = (11, 3), **changes: Any) -> tuple[Batch, list[str]]:
    said: list[str] = []
    return everything(loaded(dataset, env_id, sizes, say=said.append, **changes)), said


def everything(found: OfflineData) -> Batch:
    return found.rows(torch.arange(len(found)))


def examples(found: OfflineData) -> Batch:
    assert found.examples is not None
    return found.rows(found.examples)


def with_examples(dataset: str, env_id: str = "Hopper-v5") -> OfflineData:
    return loaded(dataset, env_id, only_successes=True, n=1)


def stored(dataset: str) -> list[Transitions]:
    episodes = load([dataset])
    return [episodes.episode(i) for i in range(episodes.num_episodes)]


@pytest.mark.parametrize("n", [1, 3])
def test_the_same_task_keeps_rewards_and_ends(n):
    found, said = offline("hopper/random-v0", "Hopper-v5", n=n)
    expected = [in_a_ring(episode, n) for episode in stored("hopper/random-v0")]
    for column, parts in zip(found.columns, zip(*(batch.columns for batch in expected), strict=True), strict=True):
        torch.testing.assert_close(column, torch.cat(parts))
    assert not any("rewards" in line for line in said)


def in_a_ring(episode: Transitions, n: int) -> Batch:
    """An episode as an environment would have added it to the replay buffer, step by step."""
    length = len(episode.reward)
    replay = Replay(length, episode.obs.shape[1], episode.action.shape[1], n=n, discount=0.99)
    for t in range(length):
        replay.add(Transitions(*(column[t : t + 1] for column in episode)), torch.tensor([t == length - 1]))
    return replay.all()


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("dataset", ["hopper/random-v0", "hopper/falls-v0"])
def test_a_task_of_ours_pays_its_own_rewards_and_has_its_own_ends(n, dataset):
    """Also where the data goes on after a fall: nothing is added up beyond it."""
    found, said = offline(dataset, BACKWARD, n=n)
    first = 0
    for episode in stored(dataset):
        obs, action, _, next_obs, _ = episode
        reward = TASKS[BACKWARD].reward(obs, action, next_obs)
        falls = fallen(HOPPER, next_obs)
        for t in range(len(reward)):
            k = next((i + 1 for i in range(n) if t + i == len(reward) - 1 or falls[t + i]), n)
            assert found.n_step_return[first + t] == pytest.approx(
                sum(0.99**i * float(reward[t + i]) for i in range(k)), rel=1e-4, abs=1e-4
            )
            assert found.bootstrap_discount[first + t] == pytest.approx(0 if falls[t + k - 1] else 0.99**k)
            assert torch.equal(found.bootstrap_obs[first + t], next_obs[t + k - 1])
        first += len(reward)
    assert first == len(found.reward) and not any("keeps the rewards" in line for line in said)
    if dataset == "hopper/falls-v0":
        assert any(fallen(HOPPER, e.next_obs)[:-1].any() and not e.terminated.any() for e in stored(dataset))


def test_actions_are_rescaled_from_the_bounds_of_the_data():
    found, _ = offline("narrow/random-v0", "test/OneStep-v0", (1, 1))
    best = found.obs[:, 0] * 0.3
    torch.testing.assert_close(found.reward, 1 - (found.action[:, 0] - best / 0.4) ** 2)
    assert 0.5 < found.action.abs().max() <= 1


def note(dataset: str, successes: Sequence[bool | None]) -> None:
    """Write into the metadata of each episode of a dataset whether it was a success; None for nothing."""
    storage = minari.load_dataset(dataset).storage
    storage.update_episode_metadata({} if noted is None else {"success": noted} for noted in successes)


@pytest.mark.parametrize("others", [False, None])
def test_the_examples_are_the_successes(others):
    note("hopper/some-v0", [True if i in (1, 4, 10) else others for i in range(12)])
    found, episodes = with_examples("hopper/some-v0"), stored("hopper/some-v0")
    assert torch.equal(examples(found).obs, torch.cat([episodes[i].obs for i in (1, 4, 10)]))
    assert torch.equal(everything(found).obs, torch.cat([episode.obs for episode in episodes]))


def test_the_examples_of_several_datasets_are_found_in_the_right_one():
    note("hopper/some-v0", [i == 4 for i in range(12)])
    note("hopper/falls-v0", [True, False, False, False, False])
    found = with_examples("hopper/falls-v0, hopper/some-v0")
    expected = [stored("hopper/falls-v0")[0], stored("hopper/some-v0")[4]]
    assert torch.equal(examples(found).obs, torch.cat([episode.obs for episode in expected]))


@pytest.mark.parametrize("size", [1, 2, 7])
def test_half_of_a_batch_are_examples_at_its_end(size):
    note("hopper/some-v0", [i == 1 for i in range(12)])
    found = with_examples("hopper/some-v0")
    batch = found.sample(size, torch.Generator().manual_seed(0))
    assert batch.imitated == size // 2 and len(batch.reward) == size
    assert set(map(tuple, batch.obs.tolist())) <= set(map(tuple, everything(found).obs.tolist()))
    own = set(map(tuple, examples(found).obs.tolist()))
    assert set(map(tuple, batch.obs[size - batch.imitated :].tolist())) <= own


def test_without_examples_all_of_a_batch_may_be_imitated():
    batch = loaded("hopper/some-v0", "Hopper-v5").sample(7, torch.Generator().manual_seed(0))
    assert batch.imitated == len(batch.reward) == 7


def test_data_without_a_success_is_refused_where_successes_are_imitated():
    with pytest.raises(
        UserError, match=r"hopper/random-v0 notes no episode as a success in .*: --imitate better needs"
    ):
        with_examples("hopper/random-v0")


def test_a_success_in_another_task_is_none_in_this_one():
    note("cheetah/random-v0", [True])
    note("hopper/falls-v0", [True] * 5)
    with pytest.raises(UserError, match=r"no episode as a success in Walker2d-v5"):
        with_examples("hopper/falls-v0", "Walker2d-v5")


def test_whose_rewards_several_datasets_keep_is_said():
    _, said = offline("hopper/some-v0,backward/random-v0", "test/Other-v0")
    (line,) = [line for line in said if "keeps" in line]
    assert "keeps the rewards of Hopper-v5, diffsr/Hopper-backward-v0: those of test/Other-v0 are not known" in line


def test_a_success_may_be_in_the_infos_of_a_step_as_minari_records_them():
    write("hopper/infos-v0", "Hopper-v5", episodes=1)
    storage = minari.load_dataset("hopper/infos-v0").storage
    columns = {
        "observations": np.zeros((4, 11)),
        "actions": np.zeros((3, 3), np.float32),
        "rewards": np.zeros(3),
        "terminations": np.zeros(3, bool),
        "truncations": np.arange(3) == 2,
    }
    solved, never = {"success": np.array([False, True, False])}, {"success": np.zeros(3)}
    storage.update_episodes(EpisodeBuffer(id=i, infos=infos, **columns) for i, infos in ((1, solved), (2, never)))
    assert successes(["hopper/infos-v0"]) == [False, True, False]


@pytest.mark.parametrize(("noted", "expected"), [("False", False), ("True", True), (1, True), (0.0, False)])
def test_a_success_is_what_the_note_says(noted, expected):
    note("hopper/some-v0", [noted] + [None] * 11)
    assert successes(["hopper/some-v0"])[0] is expected


def test_a_note_that_is_no_flag_is_refused_with_its_place():
    note("hopper/some-v0", [False, "maybe"] + [None] * 10)
    with pytest.raises(UserError, match=r"^hopper/some-v0, episode 1: a success must be a flag .* text 'maybe'$"):
        successes(["hopper/some-v0"])
    note("hopper/some-v0", [False] * 12)


def test_the_key_of_stable_baselines_is_a_success_too():
    storage = minari.load_dataset("hopper/random-v0").storage
    storage.update_episode_metadata({"is_success": float(i == 2)} for i in range(5))
    assert successes(["hopper/random-v0"]) == [False, False, True, False, False]
    storage.update_episode_metadata({"is_success": np.nan} for i in range(5))


def test_several_datasets_follow_one_another():
    both, _ = offline("hopper/falls-v0, hopper/random-v0", "Hopper-v5")
    parts = [offline(name, "Hopper-v5")[0] for name in ("hopper/falls-v0", "hopper/random-v0")]
    assert torch.equal(both.obs, torch.cat([part.obs for part in parts]))


@pytest.mark.parametrize("env_id", [BACKWARD, "Hopper-v5"])
def test_a_module_in_front_of_an_id_changes_nothing(env_id):
    """Neither the rewards, nor what is said of them, nor what is a success there."""
    plain, written = offline("hopper/random-v0", env_id), offline("hopper/random-v0", f"finetune.tasks:{env_id}")
    assert all(torch.equal(one, other) for one, other in zip(plain[0].columns, written[0].columns, strict=True))
    assert plain[1] == written[1]
    note("hopper/falls-v0", [True] * 5)
    if env_id == "Hopper-v5":
        assert with_examples("hopper/falls-v0", f"finetune.tasks:{env_id}").examples is not None
    else:
        with pytest.raises(UserError, match="notes no episode as a success"):
            with_examples("hopper/falls-v0", f"finetune.tasks:{env_id}")


def test_an_id_without_a_version_is_its_newest():
    assert not any("rewards" in line for line in offline("hopper/random-v0", "Hopper")[1])


def test_rewards_of_another_task_are_said_aloud():
    _, said = offline("hopper/random-v0", "Hopper-v4")
    assert any("keeps the rewards of Hopper-v5: those of Hopper-v4 are not known" in line for line in said)


def test_data_of_another_robot_is_refused():
    with pytest.raises(UserError, match="observations of 11 and actions of 3 numbers, HalfCheetah-v5 has 17 and 6"):
        offline("hopper/random-v0", "HalfCheetah-v5", (17, 6))


@pytest.mark.parametrize("dataset", ["walker/random-v0", "cheetah/random-v0,walker/random-v0"])
def test_data_of_another_robot_of_equal_sizes_is_refused(dataset):
    """A task's reward is a function of what its own robot observes."""
    with pytest.raises(UserError, match=r"walker/random-v0 is of Walker2d-v5, and .* data of HalfCheetah-v5 only"):
        offline(dataset, "diffsr/HalfCheetah-jump-v0", (17, 6))


def test_data_of_another_task_of_the_robot_is_taken():
    found, _ = offline("backward/random-v0", "diffsr/Hopper-jump-v0")
    assert len(found.reward) == len(stored("backward/random-v0")[0].reward)


def test_data_of_other_actions_is_refused():
    """A number in [-1, 1] would stand for another action there than here."""
    narrow = ("narrow/random-v0", "test/OneStep-v0", (1, 1))
    assert len(loaded(*narrow, bounds=([-0.4], [0.4]))) == 30
    with pytest.raises(UserError, match=r"actions of narrow/random-v0 are from \[-0\.4.*\] to \[0\.4.*, those of"):
        loaded(*narrow, bounds=([-1.0], [1.0]))


def test_data_of_observations_of_other_names_is_refused():
    """A number would stand for another quantity there than here."""
    nested = ("nested/random-v0", "test/Unsorted-v0", (2, 2))
    for there in ({"angle": 1, "velocity": 1}, None):  # None: not known
        assert len(loaded(*nested, obs_parts=there)) == 3
    with pytest.raises(UserError, match=r"observations of nested.* are angle \(1\), velocity \(1\), those of .* speed"):
        loaded(*nested, obs_parts={"angle": 1, "speed": 1})


@pytest.mark.parametrize("name", ["mujoco/hopper", "mujoco/hopper/bundled-v0"])
def test_a_missing_dataset_that_can_be_collected_says_how(name):
    with pytest.raises(UserError, match=r"no dataset fits.*; to make one: diffsr collect mujoco/hopper") as error:
        offline(name, "Hopper-v5")
    assert "\n" not in str(error.value)


def test_a_missing_dataset_of_meta_world_says_how_too():
    for name in ("metaworld/reach-v3", "metaworld/reach-v3/bundled-v0"):
        with pytest.raises(UserError, match=r"no dataset fits.*; to make one: diffsr collect metaworld/reach-v3$"):
            offline(name, "metaworld/reach-v3")


@pytest.mark.parametrize("name", ["mujoco/hopper/expert-v0", "mine/own-v0"])
def test_another_missing_dataset_is_only_missing(name):
    with pytest.raises(UserError, match="no dataset fits") as error:
        offline(name, "Hopper-v5")
    assert "diffsr collect" not in str(error.value)


def test_rows_do_not_cross_episodes():
    for n in (1, 3):
        found, _ = offline("hopper/random-v0", "Hopper-v5", n=n)
        starts = [0]
        for episode in stored("hopper/random-v0"):
            starts.append(starts[-1] + len(episode.reward))
        for first, last in pairwise(starts):
            inside = {tuple(obs.tolist()) for obs in found.next_obs[first:last]}
            assert all(tuple(obs.tolist()) in inside for obs in found.bootstrap_obs[first:last])
