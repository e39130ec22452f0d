"""Laws of the ring: the newest rows and only they, in every size of batch; a row keeps its columns together."""

from itertools import accumulate

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from finetune.learning.replay import Batch, Replay


def batch(first: int, size: int) -> Batch:
    """Rows in which every column tells the row's number."""
    number = torch.arange(first, first + size).float()
    wide = number[:, None].expand(-1, 2)
    return Batch(wide, -wide[:, :1], number, wide + 0.5, 2 * number, wide + 0.25, 1 / (1 + number))


def numbers(replay: Replay) -> list[int]:
    return sorted(int(n) for n in replay.all().reward)


def test_rows_come_back_as_they_were_added():
    replay = Replay(10, obs_dim=2, action_dim=1)
    replay.add(batch(0, 4))
    for found, given_ in zip(replay.all(), batch(0, 4), strict=True):
        assert torch.equal(found, given_) and found.dtype == torch.float32
    assert len(replay) == replay.added == 4


@given(st.integers(1, 9), st.lists(st.integers(0, 20), max_size=8))
def test_exactly_the_newest_rows_are_kept(capacity, sizes):
    replay = Replay(capacity, 2, 1)
    for first, size in zip(accumulate([0, *sizes]), sizes, strict=False):
        replay.add(batch(first, size))
    total = sum(sizes)
    assert replay.added == total and len(replay) == min(total, capacity)
    assert numbers(replay) == list(range(max(0, total - capacity), total))


@given(st.integers(1, 9), st.lists(st.integers(1, 20), max_size=8))
def test_the_place_of_a_row_does_not_depend_on_how_it_was_added(capacity, sizes):
    """So that a restored ring is the ring that was saved."""
    parts, one_by_one = Replay(capacity, 2, 1), Replay(capacity, 2, 1)
    for first, size in zip(accumulate([0, *sizes]), sizes, strict=False):
        parts.add(batch(first, size))
    for number in range(sum(sizes)):
        one_by_one.add(batch(number, 1))
    assert torch.equal(parts.rows, one_by_one.rows)


@given(st.integers(1, 9), st.integers(0, 30), st.integers(0, 30))
def test_newest_gives_what_came_since_in_order(capacity, total, first):
    replay = Replay(capacity, 2, 1)
    replay.add(batch(0, total))
    found = replay.batch(replay.newest(min(first, total))).reward.tolist()
    assert found == list(range(max(min(first, total), total - capacity), total))


@pytest.mark.parametrize("added", [3, 5, 12], ids=["partly full", "full", "wrapped"])
def test_samples_are_uniform_over_what_is_kept_and_keep_columns_together(added):
    replay = Replay(5, 2, 1)
    replay.add(batch(0, added))
    drawn = replay.batch(replay.sample(20_000, torch.Generator().manual_seed(0)))
    counts = torch.bincount(drawn.reward.long())
    kept = min(added, 5)
    assert set(counts.nonzero().flatten().tolist()) == set(range(added - kept, added))
    assert ((counts[counts > 0] / 20_000 - 1 / kept).abs() < 0.02).all()
    for found, column in zip(drawn, batch(0, added), strict=True):
        assert torch.equal(found, column[drawn.reward.long()])


def test_equal_generators_draw_equal_batches_and_touch_no_other_randomness():
    replay, before = Replay(5, 2, 1), torch.get_rng_state()
    replay.add(batch(0, 5))
    one, other = (replay.sample(7, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)
