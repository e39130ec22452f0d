import pytest
import torch

from diffsr_hub import UserError
from diffsr_hub.data import Episodes
from diffsr_hub.data.part import Part
from diffsr_hub.diagnostics.heldout import discounted_returns, draw_sample, steps_without_return


def coded(lengths: list[int], terminated: list[bool]) -> Episodes:
    """Observations are (episode, step); the reward is the step's number, from 1."""
    steps = [torch.arange(float(length + 1)) for length in lengths]
    frames = torch.cat([torch.stack([torch.full_like(step, i), step], 1) for i, step in enumerate(steps)])
    ends = [(step[:-1] == length - 1) & end for step, length, end in zip(steps, lengths, terminated, strict=True)]
    row = torch.cat([torch.arange(length) + sum(lengths[:i]) + i for i, length in enumerate(lengths)])
    reward = torch.cat([step[:-1] + 1 for step in steps])
    return Episodes([Part(frames, torch.zeros(len(row), 1), reward, torch.cat(ends), row, torch.tensor(lengths))])


def test_returns_by_hand():
    assert discounted_returns([1, 2, 4], 0.5) == [3.0, 4.0, 4.0]
    assert discounted_returns([], 0.5) == []


def test_returns_stop_at_the_end_of_their_episode():
    sample = draw_sample(coded([2, 3], [True, True]), torch.arange(2), limit=100, discount=0.5, seed=0)
    found = {tuple(obs.tolist()): float(value) for obs, value in zip(sample.batch.obs, sample.returns, strict=True)}
    assert found == {(0, 0): 2, (0, 1): 2, (1, 0): 2.75, (1, 1): 3.5, (1, 2): 3}
    assert sample.known.all()
    assert sample.num_episodes == 2


def test_behind_a_time_limit_the_last_returns_are_unknown():
    sample = draw_sample(coded([10, 10], [True, False]), torch.arange(2), limit=100, discount=0.5, seed=0)
    unknown = {tuple(obs.tolist()) for obs in sample.batch.obs[~sample.known]}
    assert unknown == {(1, step) for step in (6, 7, 8, 9)}


@pytest.mark.parametrize(
    ("length", "terminated", "expected"), [(1000, False, 200), (1000, True, 0), (50, False, 25), (1, False, 0)]
)
def test_how_many_returns_are_unknown(length, terminated, expected):
    assert steps_without_return(length, 0.99, terminated=terminated) == expected


def test_only_the_given_episodes_are_drawn_grouped_and_no_more_than_asked_for():
    sample = draw_sample(coded([5] * 20, [True] * 20), torch.arange(3, 9), limit=12, discount=0.9, seed=0)
    drawn = sample.batch.obs[:, 0]
    assert len(drawn) == len(sample.returns) == 12
    assert set(drawn.tolist()) <= set(range(3, 9))
    assert len(torch.unique_consecutive(drawn)) == len(torch.unique(drawn))


def test_reading_is_bounded_too():
    sample = draw_sample(coded([5] * 40, [True] * 40), torch.arange(40), limit=4, discount=0.9, seed=0)
    assert sample.num_episodes == 8


def test_thinning_spreads_over_all_rows():
    sample = draw_sample(coded([30], [True]), torch.arange(1), limit=30, discount=0.9, seed=0)
    assert sample.thin(3).obs[:, 1].tolist() == [0, 10, 20]
    assert len(sample.thin(99).obs) == 30


def test_without_episodes_there_is_an_error():
    with pytest.raises(UserError, match="collect more episodes"):
        draw_sample(coded([5], [True]), torch.tensor([], dtype=torch.int64), limit=5, discount=0.9, seed=0)
