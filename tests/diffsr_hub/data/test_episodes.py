import numpy as np
import pytest
import torch
from torch import Tensor

from diffsr_hub.data.episodes import Episodes
from diffsr_hub.data.part import Part
from diffsr_hub.data.split import split_by_episode
from diffsr_hub.errors import UserError
from diffsr_hub.transitions import Transitions


def part(lengths: list[int], *, seed: int = 0) -> Part:
    g = torch.Generator().manual_seed(seed)
    count = sum(lengths)
    rows = torch.cat([torch.arange(n) for n in lengths])
    first = torch.tensor([0, *lengths]).cumsum(0)[:-1] + torch.arange(len(lengths))
    return Part(
        frames=torch.randn(count + len(lengths), 4, generator=g) * 3 + 5,
        action=torch.randn(count, 2, generator=g),
        reward=torch.randn(count, generator=g) - 7,
        terminated=torch.rand(count, generator=g) < 0.1,
        row=rows + torch.repeat_interleave(first, torch.tensor(lengths)),
        lengths=torch.tensor(lengths),
    )


def equal(one: Transitions, other: Transitions) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_an_episode_is_its_frames_in_order() -> None:
    one = part([3, 1, 5])
    episodes = Episodes([one])
    assert episodes.lengths.tolist() == [3, 1, 5]
    assert episodes.starts.tolist() == [0, 3, 4]
    assert (episodes.num_episodes, episodes.num_transitions, episodes.obs_dim, episodes.action_dim) == (3, 9, 4, 2)
    last = episodes.episode(2)
    assert torch.equal(last.obs, one.frames[6:11])
    assert torch.equal(last.next_obs, one.frames[7:12])
    assert torch.equal(last.action, one.action[4:9])


def test_two_parts_are_each_alone_one_after_the_other() -> None:
    parts = [part([3, 4], seed=1), part([2], seed=2), part([6, 1], seed=3)]
    both, alone = Episodes(parts), [Episodes([p]) for p in parts]
    separate = [single.episode(i) for single in alone for i in range(single.num_episodes)]
    assert all(equal(both.episode(i), expected) for i, expected in enumerate(separate))
    everything = Transitions(*(torch.cat(columns) for columns in zip(*separate, strict=True)))
    index = torch.randint(0, 16, (100,), generator=torch.Generator().manual_seed(0))
    assert equal(both.transitions(index), Transitions(*(column[index] for column in everything)))


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("index", [-1, 7, 14])
def test_an_index_out_of_range_is_an_error(parts: int, index: int) -> None:
    episodes = Episodes([part([3, 4])] * parts)
    if index < episodes.num_transitions and index >= 0:
        episodes.transitions(torch.tensor([index]))
    else:
        with pytest.raises(IndexError):
            episodes.transitions(torch.tensor([0, index]))


def test_a_batch_is_a_copy() -> None:
    episodes = Episodes([part([3])])
    episodes.episode(0).obs.zero_()
    assert episodes.episode(0).obs.abs().sum() > 0


def test_indices_are_those_of_the_episodes_asked() -> None:
    episodes = Episodes([part([3, 1]), part([2, 4])])
    assert episodes.indices(torch.tensor([2, 0])).tolist() == [4, 5, 0, 1, 2]
    assert episodes.indices(torch.arange(4)).tolist() == list(range(10))


def test_moments_are_numpys(monkeypatch: pytest.MonkeyPatch) -> None:
    episodes = Episodes([part([30, 11]), part([25, 4], seed=1)])
    chosen = torch.tensor([0, 2, 3])
    batch = episodes.transitions(episodes.indices(chosen))
    monkeypatch.setattr("diffsr_hub.data.episodes._CHUNK_NUMBERS", 4 * 7)  # several chunks of 7 rows
    obs_mean, obs_std, reward_mean, reward_std = episodes.moments(chosen)
    obs, reward = batch.obs.numpy().astype(np.float64), batch.reward.numpy().astype(np.float64)
    np.testing.assert_allclose(obs_mean, obs.mean(0), rtol=1e-6)
    np.testing.assert_allclose(obs_std, obs.std(0), rtol=1e-6)
    np.testing.assert_allclose([reward_mean, reward_std], [reward.mean(), reward.std()], rtol=1e-6)
    assert obs_std.dtype == torch.float32


def test_a_constant_coordinate_has_deviation_one() -> None:
    one = part([50])
    one.frames[:, 1], one.frames[:, 2] = 0.1, 123456.7
    assert Episodes([one]).moments(torch.tensor([0])).obs_std[1:3].tolist() == [1.0, 1.0]


def _split(count: int, fraction: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    return split_by_episode(Episodes([part([2] * count)]), fraction, seed)


@pytest.mark.parametrize("count", [2, 3, 10, 101])
@pytest.mark.parametrize("fraction", [0.001, 0.1, 0.5, 0.999])
def test_a_split_is_disjoint_and_complete(count: int, fraction: float) -> None:
    train, validation = _split(count, fraction)
    assert len(train) > 0
    assert len(validation) > 0
    assert torch.equal(torch.cat([train, validation]).sort().values, torch.arange(count))
    assert abs(len(validation) - count * fraction) <= 1


def test_a_split_is_decided_by_its_seed() -> None:
    assert torch.equal(_split(100, 0.1)[1], _split(100, 0.1)[1])
    assert not torch.equal(_split(100, 0.1)[1], _split(100, 0.1, seed=1)[1])


def test_a_single_episode_trains() -> None:
    train, validation = _split(1, 0.1)
    assert (train.tolist(), validation.tolist()) == ([0], [])


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, float("nan")])
def test_a_fraction_out_of_range_is_refused(fraction: float) -> None:
    with pytest.raises(UserError, match="between 0 and 1"):
        _split(10, fraction)


def two_tasks() -> Episodes:
    """The small one in two parts, with the large one between them."""
    parts = [part([2, 3]), part([40, 50, 60], seed=1), part([5], seed=2)]
    return Episodes(parts, tasks=["small", "large", "small"])


def test_transitions_and_episodes_are_divided_by_task() -> None:
    episodes = two_tasks()
    index = torch.tensor([154, 0, 4, 5, 159, 100])
    assert [found.tolist() for found in episodes.by_task(index)] == [[0, 4, 159], [154, 5, 100]]
    assert [found.tolist() for found in episodes.episodes_by_task(torch.arange(6))] == [[0, 1, 5], [2, 3, 4]]
    assert [found.tolist() for found in episodes.by_task(torch.tensor([7, 9]))] == [[7, 9]]
    alone = Episodes([part([2]), part([3])])  # nobody said that they are of different tasks
    assert [found.tolist() for found in alone.by_task(torch.arange(5))] == [[0, 1, 2, 3, 4]]


def test_every_task_has_the_same_weight_in_the_moments() -> None:
    episodes = two_tasks()
    rows = [torch.cat([episodes.episode(i).obs.double() for i in ids]) for ids in ((0, 1, 5), (2, 3, 4))]
    repeated = torch.cat([rows[0].repeat(15, 1), rows[1]])  # 10 and 150 rows
    moments = episodes.moments(torch.arange(6))
    torch.testing.assert_close(moments.obs_mean.double(), repeated.mean(0), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(moments.obs_std.double(), repeated.std(0, correction=0), rtol=1e-6, atol=1e-6)


def test_every_task_is_split_for_itself() -> None:
    episodes = Episodes([part([2] * 20), part([2] * 2, seed=1)], tasks=["many", "few"])
    for seed in range(20):
        train, validation = split_by_episode(episodes, 0.1, seed)
        assert [len(found) for found in episodes.episodes_by_task(validation)] == [2, 1]
        assert torch.equal(torch.cat([train, validation]).sort().values, torch.arange(22))


@pytest.mark.parametrize("parts", [[[3, 4, 5]], [[3, 4], [2], [6, 1]]], ids=["one dataset", "three"])
def test_observations_some_steps_ahead_are_those_of_the_transitions_there(parts: list[list[int]]) -> None:
    """In any order, also where each row asks for other steps."""
    episodes = Episodes([part(lengths, seed=seed) for seed, lengths in enumerate(parts)])
    index, ahead = torch.tensor([7, 0, 3, 9]), torch.tensor([[0, 1, 2], [0, 1, 3], [0, 1, 1], [1, 1, 2]])
    if len(parts) == 3:
        index = torch.tensor([9, 0, 3, 10])
    obs, action = episodes.observations(index, ahead)
    for row, (i, steps) in enumerate(zip(index.tolist(), ahead.tolist(), strict=True)):
        for k, step in enumerate(steps):
            there = episodes.transitions(torch.tensor([i + max(step - 1, 0)]))
            assert torch.equal(obs[row, k], (there.next_obs if step else there.obs)[0])
    assert torch.equal(action, episodes.transitions(index).action)
