import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from diffsr_hub.data import load
from diffsr_hub.data.loading import _task
from diffsr_hub.errors import UserError


def check_alignment(ids: list[str], lengths: list[int], tags: list[int]) -> None:
    """Every number of every transition says where it must be from (see `coded_episode`)."""
    episodes = load(ids)
    assert episodes.lengths.tolist() == lengths * len(ids)
    for i in range(episodes.num_episodes):
        number, tag, steps = i % len(lengths), tags[i // len(lengths)], int(episodes.lengths[i])
        batch, step = episodes.episode(i), torch.arange(float(steps))
        expected = torch.stack([torch.full_like(step, number), step, torch.full_like(step, tag)], dim=1)
        assert torch.equal(batch.obs, expected)
        assert torch.equal(batch.next_obs, expected + torch.tensor([0.0, 1.0, 0.0]))
        assert torch.equal(batch.action, torch.stack([step / 100, torch.full_like(step, number / 100)], dim=1))
        assert torch.equal(batch.reward, number * 1000 + step)
        assert torch.equal(batch.terminated, (step == steps - 1) & (number % 2 == 0))


@pytest.mark.parametrize("data_format", ["hdf5", "arrow", "parquet"])
def test_transitions_are_aligned_and_never_cross_episodes(make: Any, data_format: str) -> None:
    lengths = [5, 1, 7, 2, 1, 3, 4, 9, 1, 6, 2, 8]  # more than ten, whose names do not sort as numbers do
    check_alignment([make(lengths=lengths, data_format=data_format)], lengths, [0])


def test_several_datasets_follow_each_other(make: Any) -> None:
    lengths = [3, 1, 4]
    ids = [make(f"test/{name}-v0", lengths, tag=tag) for tag, name in enumerate("abc")]
    check_alignment(ids, lengths, [0, 1, 2])


def test_many_blocks_are_read_as_one(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diffsr_hub.data.reading._BLOCK_BYTES", 500)
    lengths = [5, 1, 7, 20, 3]
    check_alignment([make(lengths=lengths)], lengths, [0])


def test_float64_becomes_float32(make: Any) -> None:
    batch = load([make()]).episode(0)
    assert [column.dtype for column in batch] == [torch.float32] * 4 + [torch.bool]


def test_humanoid_actions_fill_the_unit_box(make: Any) -> None:
    space = gym.spaces.Box(-0.4, 0.4, (2,), np.float32)
    stored = np.random.default_rng(0).uniform(-0.4, 0.4, (5, 2)).astype(np.float32)
    stored[0] = [-0.4, 0.4]
    episodes = load([make(lengths=[5], action_space=space, change=lambda _, columns: columns.update(actions=stored))])
    np.testing.assert_allclose(episodes.episode(0).action, stored / 0.4, rtol=1e-6)
    assert episodes.episode(0).action[0].tolist() == [-1.0, 1.0]
    assert episodes.action_low is not None
    np.testing.assert_allclose(episodes.action_low, [-0.4, -0.4])


def test_skewed_and_missing_bounds(make: Any) -> None:
    space = gym.spaces.Box(np.array([0.0, -np.inf]), np.array([10.0, np.inf]), dtype=np.float64)
    stored = np.array([[0.0, 3.0], [5.0, -4.0], [10.0, 0.0]])
    episodes = load([make(lengths=[3], action_space=space, change=lambda _, columns: columns.update(actions=stored))])
    assert episodes.episode(0).action.tolist() == [[-1.0, 3.0], [0.0, -4.0], [1.0, 0.0]]


@pytest.mark.parametrize("data_format", ["hdf5", "arrow"])
def test_discrete_actions_are_one_hot(make: Any, data_format: str) -> None:
    episodes = load(
        [
            make(
                lengths=[4],
                action_space=gym.spaces.Discrete(3, start=1),
                change=lambda _, columns: columns.update(actions=np.array([1, 3, 2, 1])),
                data_format=data_format,
            )
        ]
    )
    assert episodes.episode(0).action.argmax(1).tolist() == [0, 2, 1, 0]
    assert episodes.action_dim == 3
    assert episodes.action_low is None


NESTED = gym.spaces.Dict(
    {
        "z": gym.spaces.Box(-np.inf, np.inf, (2,), np.float64),
        "a": gym.spaces.Dict({"kind": gym.spaces.Discrete(3), "grid": gym.spaces.Box(-9, 9, (2, 2), np.float32)}),
        "pair": gym.spaces.Tuple([gym.spaces.MultiBinary(2), gym.spaces.Box(-1, 1, (1,), np.float64)]),
    }
)


def _stack(samples: list[Any]) -> Any:
    if isinstance(samples[0], dict):
        return {key: _stack([sample[key] for sample in samples]) for key in samples[0]}
    if isinstance(samples[0], tuple):
        return tuple(_stack(list(inner)) for inner in zip(*samples, strict=True))
    return np.asarray(samples)


@pytest.mark.parametrize("data_format", ["hdf5", "arrow", "parquet"])
def test_nested_observations_are_flattened_as_gymnasium_does(make: Any, data_format: str) -> None:
    NESTED.seed(0)
    samples = [NESTED.sample() for _ in range(5)]
    episodes = load(
        [
            make(
                lengths=[4],
                observation_space=NESTED,
                change=lambda _, columns: columns.update(observations=_stack(samples)),
                data_format=data_format,
            )
        ]
    )
    flat = np.stack([gym.spaces.flatten(NESTED, sample) for sample in samples]).astype(np.float32)
    assert np.array_equal(episodes.episode(0).obs, flat[:-1])
    assert np.array_equal(episodes.episode(0).next_obs, flat[1:])


def test_the_parts_of_observations_are_known_by_name(make: Any) -> None:
    NESTED.seed(0)
    samples = _stack([NESTED.sample() for _ in range(5)])
    options = {"lengths": [4], "change": lambda _, columns: columns.update(observations=samples)}
    loaded = load([make(observation_space=NESTED, **options)])
    assert list(loaded.obs_parts.items()) == [("a/grid", 4), ("a/kind", 3), ("pair/0", 2), ("pair/1", 1), ("z", 2)]
    assert load([make("test/flat-v0")]).obs_parts == {}


def test_all_formats_and_a_second_load_are_bit_equal(make: Any) -> None:
    def noise(i: int, columns: dict[str, Any]) -> None:
        columns["observations"] = np.random.default_rng(i).standard_normal(columns["observations"].shape)

    names = ("hdf5", "arrow", "parquet")
    ids = [make(f"test/{name}-v0", [9, 4, 30], change=noise, data_format=name) for name in names]
    loaded = [load([identifier]) for identifier in [*ids, *ids]]
    batches = [episodes.transitions(torch.arange(43)) for episodes in loaded]
    for batch in batches[1:]:
        assert all(torch.equal(a, b) for a, b in zip(batch, batches[0], strict=True))


def test_an_unfinished_last_step_is_accepted(make: Any) -> None:
    def unfinish(_: int, columns: dict[str, Any]) -> None:
        columns["terminations"][:] = columns["truncations"][:] = False

    assert load([make(change=unfinish)]).num_episodes == 3


def test_the_environment_is_named(make: Any, tmp_path: Path) -> None:
    identifier = make()
    assert load([identifier]).env_id is None
    metadata = tmp_path / "datasets" / identifier / "data" / "metadata.json"
    content = json.loads(metadata.read_text())
    broken_wrapper = [{"name": "Monitor", "entry_point": "no.such:Monitor", "kwargs": None}]
    content["env_spec"] = json.dumps({"id": "Hopper-v5", "additional_wrappers": broken_wrapper})
    metadata.write_text(json.dumps(content))
    episodes = load([identifier])
    assert episodes.env_id == "Hopper-v5"
    assert json.loads(json.dumps(episodes.provenance)) == episodes.provenance


def test_unequal_spaces_do_not_mix(make: Any) -> None:
    first = make("test/a-v0")
    wide = make("test/b-v0", action_space=gym.spaces.Box(-2.0, 2.0, (2,), np.float32))
    with pytest.raises(UserError, match=r"test/a-v0 and test/b-v0 do not mix, their action spaces differ in low: "):
        load([first, wide])


def test_a_dataset_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"test/none-v0 is not in .*datasets \(MINARI_DATASETS_PATH"):
        load(["test/none-v0"])
    with pytest.raises(UserError, match="no dataset was named"):
        load([])


def test_tasks_whose_observations_have_other_bounds_mix(make: Any) -> None:
    ids = [
        make(f"test/{name}/expert-v0", [2, 3], observation_space=gym.spaces.Box(-1e3, high, (3,), np.float64))
        for name, high in (("near", 1e4), ("far", 2e4))
    ]
    episodes = load(ids)
    # No environment is named: what is in one namespace is one task.
    assert [len(found) for found in episodes.by_task(torch.arange(episodes.num_transitions))] == [5, 5]
    together = load([make("test/near/medium-v0", [4]), ids[0]])
    assert len(together.by_task(torch.arange(together.num_transitions))) == 1


def test_how_a_recording_was_looked_at_makes_no_other_task() -> None:
    plain = {"env_spec": {"id": "a/b-v0", "kwargs": {"task": "c"}}, "namespace": "x"}
    filmed = {"env_spec": {"id": "a/b-v0", "kwargs": {"task": "c", "render_mode": "rgb_array"}}, "namespace": "x"}
    other = {"env_spec": {"id": "a/b-v0", "kwargs": {"task": "d"}}, "namespace": "x"}
    assert _task(plain) == _task(filmed) != _task(other)
