"""Laws of the queue: what was added and not forgotten is found."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from finetune.learning.last_observations import LastObservations


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 12)), max_size=30))
def test_it_is_a_dictionary_of_growing_numbers(moves):
    """Numbers are added with gaps, and some of the oldest are forgotten in between."""
    queue, known, number = LastObservations(2), dict[int, list[float]](), 0
    for gap, forgotten in moves:
        number += gap
        known[number] = [float(number), -1.0]
        queue.add(torch.tensor([number]), torch.tensor([known[number]]))
        queue.drop_before(forgotten)
        known = {n: obs for n, obs in known.items() if n >= forgotten}
        numbers = torch.tensor(list(known), dtype=torch.long)
        assert queue.find(numbers).tolist() == list(known.values())
        since, obs = queue.since(forgotten + 1)
        assert dict(zip(since.tolist(), obs.tolist(), strict=True)) == {n: o for n, o in known.items() if n > forgotten}


def test_the_newest_can_be_forgotten_too():
    queue = LastObservations(1)
    queue.add(torch.tensor([1, 4, 6]), torch.tensor([[1.0], [4.0], [6.0]]))
    queue.drop_from(4)
    queue.add(torch.tensor([5]), torch.tensor([[5.0]]))
    assert queue.since(0)[0].tolist() == [1, 5] and queue.find(torch.tensor([5, 1])).tolist() == [[5], [1]]
