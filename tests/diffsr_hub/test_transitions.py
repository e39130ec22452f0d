"""The batch every part speaks: its names and their order are an interface."""

import torch

from diffsr_hub import Transitions


def test_fields_are_gymnasiums_names_in_the_order_of_a_step() -> None:
    assert Transitions._fields == ("obs", "action", "reward", "next_obs", "terminated")


def test_a_batch_is_a_tuple_that_can_be_mapped_over() -> None:
    batch = Transitions(*(torch.arange(4) + 10 * i for i in range(5)))
    first = Transitions(*(column[:2] for column in batch))
    assert first.next_obs.tolist() == [30, 31]
    assert first._replace(reward=first.terminated).reward.tolist() == [40, 41]
