"""Laws of n-step returns: the recursion by hand, the ends of episodes, and the queue that does it step by step."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from diffsr_hub.transitions import Transitions
from finetune.learning.n_step import NStepQueue, n_step
from finetune.learning.replay import Batch


def episode(length: int, terminated: bool, seed: int = 0) -> Transitions:
    g = torch.Generator().manual_seed(seed)
    states = torch.randn(length + 1, 3, generator=g)
    ends = torch.zeros(length, dtype=torch.bool)
    ends[-1] = terminated
    reward = torch.randn(length, generator=g)
    return Transitions(states[:-1], torch.randn(length, 2, generator=g), reward, states[1:], ends)


def test_one_step_is_the_transition_itself():
    steps = episode(4, terminated=True)
    batch = n_step(steps, 1, 0.9)
    assert torch.equal(batch.n_step_return, steps.reward)
    assert torch.equal(batch.bootstrap_obs, steps.next_obs)
    torch.testing.assert_close(batch.bootstrap_discount, torch.tensor([0.9, 0.9, 0.9, 0.0]))


@pytest.mark.parametrize("terminated", [False, True])
def test_three_steps_by_hand(terminated):
    """Rewards 1, 2, 4, 8 and γ = ½: the last steps have fewer rewards, and bootstrap with γ to that number."""
    steps = episode(4, terminated)._replace(reward=torch.tensor([1.0, 2.0, 4.0, 8.0]))
    batch = n_step(steps, 3, 0.5)
    assert batch.n_step_return.tolist() == [1 + 1 + 1, 2 + 2 + 2, 4 + 4, 8]
    last = [1 / 8, 0, 0, 0] if terminated else [1 / 8, 1 / 8, 1 / 4, 1 / 2]
    assert batch.bootstrap_discount.tolist() == last
    assert torch.equal(batch.bootstrap_obs, steps.next_obs[[2, 3, 3, 3]])
    assert torch.equal(batch.reward, steps.reward) and torch.equal(batch.next_obs, steps.next_obs)


@given(
    st.integers(1, 12), st.integers(1, 15), st.booleans(), st.sampled_from([0.0, 0.5, 0.99, 1.0]), st.integers(0, 99)
)
def test_a_whole_episode_equals_its_steps_one_by_one(length, n, terminated, discount, seed):
    steps = episode(length, terminated, seed)
    queue = NStepQueue(n, discount)
    rows = [queue.push(Transitions(*(c[t] for c in steps)), ended=t == length - 1) for t in range(length)]
    pushed = Batch(*(torch.cat(column) for column in zip(*(r for r in rows if r is not None), strict=True)))
    for one, other in zip(pushed, n_step(steps, n, discount), strict=True):
        torch.testing.assert_close(one, other)
    assert not queue.pending


@given(st.integers(1, 12), st.integers(1, 15), st.booleans(), st.integers(0, 99))
def test_the_value_of_a_known_policy_is_a_fixed_point_for_every_n(length, n, terminated, seed):
    """Discounted returns to the end bootstrap to themselves."""
    steps = episode(length, terminated, seed)
    tail, values = (0.0 if terminated else 7.0), []
    for reward in steps.reward.tolist()[::-1]:
        tail = reward + 0.9 * tail
        values.append(tail)
    values = values[::-1]
    batch = n_step(steps, n, 0.9)
    after = {tuple(o): v for o, v in zip(steps.next_obs.tolist(), [*values[1:], 7.0], strict=True)}
    target = batch.n_step_return + batch.bootstrap_discount * torch.tensor(
        [after[tuple(o)] for o in batch.bootstrap_obs.tolist()]
    )
    torch.testing.assert_close(target, torch.tensor(values), rtol=1e-4, atol=1e-4)


def test_nothing_of_an_episode_enters_the_next():
    queue = NStepQueue(3, 0.9)
    first, second = episode(2, terminated=False), episode(2, terminated=True, seed=1)
    for steps in (first, second):
        assert queue.push(Transitions(*(c[0] for c in steps)), ended=False) is None
        rows = queue.push(Transitions(*(c[1] for c in steps)), ended=True)
        assert rows is not None
        torch.testing.assert_close(rows.n_step_return, n_step(steps, 3, 0.9).n_step_return)
        assert torch.equal(rows.bootstrap_obs, steps.next_obs[[1, 1]])
