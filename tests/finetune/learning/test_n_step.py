"""Laws of n-step returns: the recursion by hand, the ends of episodes, and a fixed point."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from finetune.learning.n_step import GOES_ON, TERMINATED, TRUNCATED, NStep, n_step


def windows(reward: Tensor, last: int, n: int, discount: float) -> NStep:
    """The returns of all steps of an episode with an end, after which others follow that must not be looked at."""
    length = len(reward)
    after = torch.full((n,), 1e6)
    end = torch.cat([torch.full((length,), GOES_ON), torch.full((n,), TERMINATED)]).to(torch.uint8)
    end[length - 1] = last
    index = torch.arange(length)[:, None] + torch.arange(n)
    return n_step(torch.cat([reward, after])[index], end[index], discount)


@pytest.mark.parametrize("last", [TRUNCATED, TERMINATED])
def test_one_step_is_the_reward_itself(last):
    reward = torch.tensor([1.0, -2.0, 3.0])
    found = windows(reward, last, 1, 0.9)
    assert torch.equal(found.n_step_return, reward) and found.last.tolist() == [0, 0, 0]
    end = 0.9 if last == TRUNCATED else 0.0
    torch.testing.assert_close(found.bootstrap_discount, torch.tensor([0.9, 0.9, end]))


@pytest.mark.parametrize("last", [TRUNCATED, TERMINATED])
def test_three_steps_by_hand(last):
    """Rewards 1, 2, 4, 8 and γ = ½: the last steps have fewer rewards, and bootstrap with γ to that number."""
    found = windows(torch.tensor([1.0, 2.0, 4.0, 8.0]), last, 3, 0.5)
    assert found.n_step_return.tolist() == [1 + 1 + 1, 2 + 2 + 2, 4 + 4, 8]
    assert found.last.tolist() == [2, 2, 1, 0]
    assert found.bootstrap_discount.tolist() == (
        [1 / 8, 1 / 8, 1 / 4, 1 / 2] if last == TRUNCATED else [1 / 8, 0, 0, 0]
    )


@given(st.integers(1, 12), st.integers(1, 15), st.booleans(), st.integers(0, 99))
def test_the_value_of_a_known_policy_is_a_fixed_point_for_every_n(length, n, terminated, seed):
    """Discounted returns to the end bootstrap to themselves."""
    reward = torch.randn(length, generator=torch.Generator().manual_seed(seed))
    tail = 0.0 if terminated else 7.0
    values = [tail]
    for r in reward.tolist()[::-1]:
        values.insert(0, r + 0.9 * values[0])
    found = windows(reward, TERMINATED if terminated else TRUNCATED, n, 0.9)
    after = torch.tensor([*values[:-1], 7.0])[torch.arange(length) + found.last + 1]
    target = found.n_step_return + found.bootstrap_discount * after
    torch.testing.assert_close(target, torch.tensor(values[:-1]), rtol=1e-4, atol=1e-4)


@given(st.integers(1, 6), st.sampled_from([0.0, 0.5, 0.99, 1.0]), st.integers(0, 99))
def test_nothing_behind_an_end_counts(n, discount, seed):
    g = torch.Generator().manual_seed(seed)
    reward, end = torch.randn(8, n, generator=g), torch.randint(0, 3, (8, n), generator=g).to(torch.uint8)
    found = n_step(reward, end, discount)
    for row, (rewards, ends) in enumerate(zip(reward.tolist(), end.tolist(), strict=True)):
        k = next((i + 1 for i, e in enumerate(ends) if e != GOES_ON), n)
        assert found.n_step_return[row] == pytest.approx(sum(discount**i * rewards[i] for i in range(k)), abs=1e-5)
        assert found.last[row] == k - 1
        expected = 0.0 if ends[k - 1] == TERMINATED else discount**k
        assert found.bootstrap_discount[row] == pytest.approx(expected)
