from collections import Counter
from itertools import islice
from typing import Any

import pytest
import torch

from diffsr_hub.data import Episodes
from pretrain.datamodule import Batches, NoisyBatch, TransitionDataModule, stratified_levels, validation_batch

INDEX = torch.arange(100, 400)


def stream(episodes: Episodes, **changes: Any) -> Batches:
    options: dict[str, Any] = {"batch_size": 32, "num_levels": 5, "noise_dim": 3, "seed": 0, "first_step": lambda: 0}
    return Batches(episodes, INDEX, **options | changes)


def columns(batch: NoisyBatch) -> list[torch.Tensor]:
    return [*batch.transitions, batch.level, batch.noise]


def equal(first: NoisyBatch, second: NoisyBatch) -> bool:
    return all(torch.equal(one, other) for one, other in zip(columns(first), columns(second), strict=True))


def test_a_batch_is_a_function_of_seed_and_step(episodes):
    first = stream(episodes)
    forwards = [first.batch(step) for step in (0, 1, 1_000_000)]
    second = stream(episodes)
    backwards = [second.batch(step) for step in (1_000_000, 1, 0)]
    for one, other in zip(forwards, reversed(backwards), strict=True):
        assert equal(one, other)


def test_global_randomness_plays_no_part(episodes):
    before = torch.random.get_rng_state()
    first = stream(episodes).batch(3)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(1)
    assert equal(stream(episodes).batch(3), first)


def test_another_step_or_seed_gives_another_batch(episodes):
    here = stream(episodes).batch(7)
    for other in (stream(episodes).batch(8), stream(episodes, seed=1).batch(7)):
        assert not torch.equal(here.noise, other.noise)
        assert not torch.equal(here.transitions.obs, other.transitions.obs)


@pytest.mark.parametrize("world", [2, 4])
def test_the_shares_of_several_processes_are_a_partition_of_the_whole_batch(episodes, world):
    whole = columns(stream(episodes).batch(5))
    shares = [columns(stream(episodes, rank=rank, world_size=world).batch(5)) for rank in range(world)]
    for column, *parts in zip(whole, *shares, strict=True):
        assert {len(part) for part in parts} == {32 // world}
        assert torch.equal(torch.stack(parts, dim=1).flatten(0, 1), column)


def test_the_stream_starts_where_the_run_is(episodes):
    batches = stream(episodes, first_step=lambda: 41)
    for step, batch in zip((41, 42, 43), islice(batches, 3), strict=True):
        assert equal(batch, stream(episodes).batch(step))


def test_only_the_given_transitions_are_drawn_and_all_of_them_alike(episodes):
    batches = stream(episodes, batch_size=300)
    allowed = {tuple(row) for row in episodes.transitions(INDEX).obs.tolist()}
    counts = Counter(tuple(row) for step in range(100) for row in batches.batch(step).transitions.obs.tolist())
    assert set(counts) == allowed
    assert max(counts.values()) < 170 and min(counts.values()) > 50  # 100 expected; σ = 10


@pytest.mark.parametrize(("size", "levels"), [(32, 5), (50, 50), (256, 50), (7, 50), (4096, 16)])
def test_levels_are_spread_evenly_within_a_batch(size, levels):
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):
        level = stratified_levels(size, levels, generator)
        counts = torch.bincount(level, minlength=levels)
        assert len(counts) == levels and len(level) == size
        assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize(("size", "levels"), [(7, 5), (3, 50)])
def test_every_sample_meets_every_level_equally_often(size, levels):
    generator, draws = torch.Generator().manual_seed(0), 5_000
    level = torch.stack([stratified_levels(size, levels, generator) for _ in range(draws)])
    for place in (0, size - 1):
        counts = torch.bincount(level[:, place], minlength=levels)
        expected = draws / levels
        assert float(((counts - expected) ** 2 / expected).sum()) < levels + 5 * (2 * levels) ** 0.5  # χ²: mean + 5 σ


def test_noise_is_standard_normal(episodes):
    noise = torch.cat([stream(episodes, batch_size=1000).batch(step).noise for step in range(20)])
    assert noise.mean().abs() < 0.02 and (noise.std() - 1).abs() < 0.02


@pytest.mark.parametrize(("available", "size"), [(300, 300), (304, 300), (3, 5)])
def test_a_validation_has_equally_many_of_each_level_and_is_always_the_same(episodes, available, size):
    index = torch.arange(available)
    batch = validation_batch(episodes, index, 5, 3, seed=0)
    assert torch.equal(torch.bincount(batch.level), torch.full((5,), size // 5))
    assert equal(batch, validation_batch(episodes, index, 5, 3, seed=0))
    allowed = {tuple(row) for row in episodes.transitions(index).obs.tolist()}
    assert {tuple(row) for row in batch.transitions.obs.tolist()} <= allowed


def test_a_long_validation_is_thinned_over_all_of_it(episodes, monkeypatch):
    monkeypatch.setattr("pretrain.datamodule.MAX_VALIDATION", 20)
    batch = validation_batch(episodes, torch.arange(1000), 5, 3, seed=0)
    assert torch.equal(batch.transitions.obs, episodes.transitions(torch.arange(0, 1000, 50)).obs)


def test_moving_a_batch_changes_no_number(episodes):
    data = TransitionDataModule(episodes, INDEX, INDEX, batch_size=8, num_levels=5, noise_dim=3, seed=0)
    batch = stream(episodes).batch(0)
    assert equal(data.transfer_batch_to_device(batch, torch.device("cpu"), 0), batch)
    (only,) = data.val_dataloader()
    assert equal(only, validation_batch(episodes, INDEX, 5, 3, seed=0))


def several_tasks(episodes: Episodes) -> Episodes:
    """Three tasks in four datasets."""
    (part,) = episodes._parts
    return Episodes([part] * 4, tasks=["a", "b", "c", "b"])


def test_every_task_has_an_equal_share_whatever_its_size(episodes):
    several = several_tasks(episodes)
    # Of 1,000 transitions each: 500 of task a, 20 of b in two datasets, 1 of c.
    index = torch.cat([torch.arange(500), torch.arange(1000, 1010), torch.arange(2000, 2001), torch.arange(3000, 3010)])
    batches = Batches(several, index, batch_size=300, num_levels=5, noise_dim=3, seed=0, first_step=lambda: 0)
    drawn = torch.cat([batches._draw(step)[0] for step in range(50)])
    assert torch.isin(drawn, index).all()
    counts = torch.bincount(drawn, minlength=4000)
    assert counts[:1000].sum() == counts[2000:3000].sum() == counts[1000:2000].sum() + counts[3000:].sum() == 5000
    assert counts[index[500:510]].min() > 180 and counts[index[500:510]].max() < 330  # 250 expected; σ = 16
    level = torch.cat([batches._draw(step)[1] for step in range(50)])
    of_one = level[drawn == 2000]  # the task says nothing about the level
    assert torch.bincount(of_one, minlength=5).min() > 900


def test_many_batches_gathered_at_once_are_the_same_batches(episodes):
    several = several_tasks(episodes)
    at_once = list(islice(stream(several, first_step=lambda: 7), 9))
    for step, batch in zip(range(7, 16), at_once, strict=True):
        assert equal(batch, stream(several).batch(step))


def test_the_batches_of_one_task_are_those_of_all_its_transitions(episodes):
    generator = torch.Generator().manual_seed(5)
    expected = torch.randint(len(INDEX), (32,), generator=generator)
    assert torch.equal(stream(episodes).batch(5).transitions.obs, episodes.transitions(INDEX[expected]).obs)
