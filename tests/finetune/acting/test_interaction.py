"""Laws of stepping: no transition crosses an episode, and the way back to where it was is exact."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from diffsr_hub.errors import UserError
from diffsr_hub.transitions import Transitions
from finetune.acting.environments import make
from finetune.acting.interaction import Interaction, Stepped
from finetune.learning.replay import Replay
from tests.finetune.toys import Counting, Faulty


@pytest.fixture(autouse=True)
def sound() -> Iterator[None]:
    Faulty.fails()
    yield
    Faulty.fails()


def interaction(env_id: str = "test/Faulty-v0", num_envs: int = 2, seed: int = 0) -> Interaction:
    Counting.made = 0
    return Interaction(partial(make, env_id), num_envs, seed=seed)


def play(found: Interaction, steps: int, seed: int = 0) -> list[Stepped]:
    g = torch.Generator().manual_seed(seed)
    shape = found.envs.action_space.shape
    assert shape is not None
    made = []
    for _ in range(steps):
        found.observe()
        action = torch.rand(shape, generator=g) * 2 - 1
        made.append(found.step(action, action.numpy()))
    return made


def joined(made: list[Stepped]) -> Transitions:
    """All steps, those of the environments one after the other."""
    return Transitions(*(torch.cat(column) for column in zip(*(stepped.steps for stepped in made), strict=True)))


@pytest.mark.parametrize("n", [1, 3])
def test_no_transition_crosses_an_episode(n):
    """Three environments that end at different times; an observation says (environment, episode, time)."""
    made, replay = play(interaction("test/Counting-v0", 3), 200), Replay(600, 3, 1, num_envs=3, n=n, discount=0.5)
    for stepped in made:
        replay.add(stepped.steps, stepped.ended)
    for obs, _, reward, next_obs, n_return, bootstrap_obs, bootstrap_discount in zip(
        *replay.all().columns, strict=True
    ):
        (number, episode, time), end = (int(x) for x in obs), Counting.length(int(obs[0]), int(obs[1]))
        k = min(n, end - time)
        assert next_obs.tolist() == [number, episode, time + 1]
        assert bootstrap_obs.tolist() == [number, episode, time + k]
        assert reward == time + 1
        assert n_return == sum(0.5**i * (time + 1 + i) for i in range(k))
        terminated = time + k == end and Counting.terminates(number, episode)
        assert bootstrap_discount == (0 if terminated else 0.5**k)
    finished = [episode for stepped in made for episode in stepped.finished]
    assert {int(obs[0]) for obs in replay.all().obs} == {0, 1, 2}
    lengths = {Counting.length(number, episode) for number in range(3) for episode in range(4)}
    assert {episode.episode_length for episode in finished} == lengths
    assert all(e.episode_return == e.episode_length * (e.episode_length + 1) / 2 for e in finished)


def test_every_step_of_every_episode_is_stored_once():
    stored = joined(play(interaction("test/Counting-v0", 3), 200)).obs
    seen = {tuple(obs.tolist()) for obs in stored}
    assert len(seen) == len(stored)
    for number, episode, _ in {(n, e, 0) for n, e, _ in seen if e < 30}:
        times = {t for n, e, t in seen if (n, e) == (number, episode)}
        assert times == set(range(Counting.length(int(number), int(episode))))


def test_actions_are_stored_as_the_learner_knows_them_and_given_as_the_environment_does():
    found = interaction("test/Faulty-v0", 2)
    action = torch.tensor([[0.5, -0.5], [1.0, 0.0]])
    first = found.observe()
    assert torch.equal(found.step(action, action.numpy() * 0.1).steps.action, action)
    expected = 0.8 * first + 0.3 * 0.1 * action[:, [0, 1, 0]]
    torch.testing.assert_close(found.obs, expected)


def test_episodes_have_seeds_of_their_own():
    starts = []
    for seed in (0, 1):
        found = interaction(num_envs=3, seed=seed)
        for _ in range(3):
            starts += [tuple(obs.tolist()) for obs in found.observe()]
            play(found, 10)
    assert len(set(starts)) == 18
    again = interaction(num_envs=3, seed=0)
    assert tuple(again.observe()[0].tolist()) == starts[0]


def test_every_environment_takes_the_seeds(monkeypatch):
    """Also those that keep a seed in 32 bits with a sign; smaller seeds are what they always were."""
    given, reset = [], Faulty.reset

    def note(self, *, seed=None, options=None):
        given.append(seed)
        return reset(self, seed=seed, options=options)

    monkeypatch.setattr(Faulty, "reset", note)
    play(interaction(num_envs=3, seed=7), 55)
    drawn = [int(np.random.SeedSequence([7, i, number]).generate_state(1)[0]) for number in range(6) for i in range(3)]
    assert given == [seed % 2**31 for seed in drawn] and any(seed >= 2**31 for seed in drawn)
    assert all(0 <= seed < 2**31 for seed in given) and len(set(given)) == len(given)


@pytest.mark.parametrize("env_id", ["test/Faulty-v0", "Hopper-v5", "diffsr/Hopper-ice-v0"])
@pytest.mark.parametrize("steps", [0, 1, 19, 20, 37])
def test_the_way_back_is_exact(env_id, steps):
    """In the middle of episodes, and at their ends."""
    first = interaction(env_id, 3)
    play(first, steps)
    second = interaction(env_id, 3, seed=0)
    assert second.load_state_dict(first.state_dict()) == []
    assert torch.equal(first.observe(), second.observe())
    one, other = play(first, 40, seed=1), play(second, 40, seed=1)
    assert all(torch.equal(a, b) for a, b in zip(joined(one), joined(other), strict=True))
    assert [stepped.finished for stepped in one] == [stepped.finished for stepped in other]


def test_the_state_goes_through_a_file(tmp_path):
    from finetune.running import checkpoint

    first = interaction()
    play(first, 13)
    checkpoint.save(tmp_path / "state", first.state_dict())
    second = interaction()
    assert second.load_state_dict(checkpoint.load(tmp_path / "state")) == []
    assert torch.equal(first.observe(), second.observe())


def test_an_environment_that_is_not_deterministic_begins_a_new_episode():
    """Its observations cannot be had again, so nothing joins the old part of an episode to a new one."""
    first = interaction()
    Faulty.fault = "noise"
    play(first, 14)
    second = interaction()
    assert second.load_state_dict(first.state_dict()) == [0, 1]
    more = joined(play(second, 5))
    assert second.episode == [2, 2]
    observed = {tuple(obs.tolist()) for obs in first.obs}
    assert not observed & {tuple(obs.tolist()) for obs in more.obs}


@pytest.mark.parametrize("fault", ["raise", "nan_obs", "nan_reward", "raise_in_reset"])
@pytest.mark.parametrize("num_envs", [1, 2])
def test_a_failing_environment_leaves_the_state_of_its_last_step(fault, num_envs):
    found = interaction(num_envs=num_envs)
    made = play(found, 9)
    Faulty.fails(fault)
    if fault == "raise_in_reset":  # the tenth step ends the episode, and is kept
        made += play(found, 1, seed=1)
    with pytest.raises(UserError, match=r"raised \w+: the simul|NaN or infinite") as error:
        play(found, 1)
    assert "\n" not in str(error.value)
    Faulty.fails()
    second = interaction(num_envs=num_envs)
    assert second.load_state_dict(found.state_dict()) == []
    kept = 10 if fault == "raise_in_reset" else 9
    assert len(made) == kept and bool(made[-1].ended.all()) is (kept == 10)
    more = play(second, 10)
    assert second.episode == [2 if kept == 10 else 1] * num_envs
    assert [bool(stepped.ended.all()) for stepped in more].index(True) == (9 if kept == 10 else 0)


def test_an_environment_that_fails_on_the_way_back_is_an_error():
    first = interaction()
    play(first, 5)
    second = interaction()
    Faulty.fails("raise", at=3)
    with pytest.raises(UserError, match="raised RuntimeError"):
        second.load_state_dict(first.state_dict())


def test_numbers_that_are_infinite_in_single_precision_are_refused(monkeypatch):
    found = interaction()
    step = Faulty.step

    def huge(self: Faulty, action: Any) -> Any:
        obs, _, *rest = step(self, action)
        return obs, 1e39, *rest

    monkeypatch.setattr(Faulty, "step", huge)
    with pytest.raises(UserError, match="NaN or infinite"):
        play(found, 1)
