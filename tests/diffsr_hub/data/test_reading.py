import json
import re
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from diffsr_hub.data import load
from diffsr_hub.data.formats import open_dataset
from diffsr_hub.data.minari.source import open_source
from diffsr_hub.data.reading import Reader
from diffsr_hub.errors import UserError
from tests.refusal import refusal


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize(
    ("column", "place", "named"), [("observations", (4, 2), r"observations\[2\]"), ("rewards", (4,), "rewards")]
)
def test_what_is_not_finite_is_named(make: Any, column: str, place: Any, named: str, value: float) -> None:
    def spoil(i: int, columns: dict[str, Any]) -> None:
        if i == 2:
            columns[column] = columns[column].astype(np.float64)
            columns[column][place] = value

    with pytest.raises(UserError, match=rf"test/coded-v0, episode 2, column {named}: value .* at step 4 is not finite"):
        load([make(change=spoil)])


def test_an_action_that_is_not_finite_is_named(make: Any) -> None:
    def spoil(i: int, columns: dict[str, Any]) -> None:
        columns["actions"][0, 1] = np.nan if i == 1 else 0.0

    with pytest.raises(UserError, match=r"episode 1, column actions\[1\]: value nan at step 0"):
        load([make(change=spoil)])


def test_a_category_outside_of_its_space_is_named(make: Any) -> None:
    def spoil(i: int, columns: dict[str, Any]) -> None:
        columns["actions"] = np.full(len(columns["rewards"]), 3 if i == 2 else 1)

    with pytest.raises(UserError, match="episode 2, column actions has a category outside of its space"):
        load([make(change=spoil, action_space=gym.spaces.Discrete(3))])


def test_an_episode_of_another_shape_is_named(make: Any) -> None:
    def spoil(i: int, columns: dict[str, Any]) -> None:
        if i == 1:
            columns["observations"] = columns["observations"][:, :2]

    with pytest.raises(UserError, match=r"episode 1, column observations has rows of shape \(2,\), its space says"):
        load([make(change=spoil)])


def test_an_empty_dataset_is_refused(make: Any) -> None:
    with pytest.raises(UserError, match="test/coded-v0 is empty"):
        load([make(lengths=[])])


def test_blocks_hold_whole_episodes(make: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("diffsr_hub.data.reading._BLOCK_BYTES", 400)
    blocks = list(Reader(open_dataset(make(lengths=[5, 1, 7, 2, 1]))))
    assert [block.lengths.tolist() for block in blocks] == [[5, 1, 7], [2, 1]]
    assert all(len(block.frames) == len(block.reward) + len(block.lengths) for block in blocks)


def _nested(depth: int) -> str:
    return '{"type": "Dict", "subspaces": {"a": ' * depth + '{"type": "Discrete", "n": 2, "start": 0}' + "}}" * depth


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ('{"type": "Sequence", "subspaces": {}}', "a space of type Sequence is not supported; Box, Discrete, "),
        ('{"type": "Dict", "subspaces": {"a": {"type": "Own"}}}', "a space of type Own is not supported"),
        ('{"type": ["Box"]}', "a space of type .'Box'. is not supported"),
        ('{"type": "Box"}', "malformed .KeyError: 'shape'"),
        ('{"shape": [3]}', "malformed .KeyError: 'type'"),
        ('{"type": "Dict"}', "malformed .KeyError: 'subspaces'"),
        ('{"type": "Dict", "subspaces": [3]}', "malformed"),
        ('{"type": "Dict", "subspaces": null}', "malformed"),
        ('{"type": "Tuple", "subspaces": [{"type": "Discrete", "n": -1, "start": 0}]}', "malformed"),
        ('{"type": "Box", "dtype": "object", "shape": [3], "low": ["a"], "high": [null]}', "malformed"),
        ('{"type": "Box", "dtype": "f99", "shape": [3], "low": [0, 0, 0], "high": [1, 1, 1]}', "malformed"),
        ('{"type": "Box", "dtype": "float32", "shape": [3], "low": [0], "high": [1, 1, 1]}', "malformed"),
        ('{"type": "Dict", "subspaces": {}}', "its observations have 0 numbers each"),
        (
            '{"type": "Discrete", "n": 1000000000000, "start": 0}',
            "its observations have 1,000,000,000,000 numbers each",
        ),
        ("3", "the observation_space in its metadata.json is not that of Minari .a int"),
        ("[]", "the observation_space in its metadata.json is not that of Minari .a list"),
        ("{", "the observation_space in its metadata.json is not that of Minari .Expecting"),
        ('{"low": NaN', "the observation_space in its metadata.json is not that of Minari"),
        (_nested(100_000), "the observation_space in its metadata.json is not that of Minari .maximum recursion"),
        (_nested(900), "is malformed|cannot be flattened|maximum recursion"),
    ],
)
def test_spaces_that_cannot_be_read_are_refused_in_one_line(make: Any, space: str, message: str) -> None:
    identifier = make()
    path = open_source(identifier).folder / "metadata.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"observation_space": space}))
    said = refusal(lambda: load([identifier]))
    assert said.startswith(f"dataset {identifier}: ") and re.search(message, said)


@pytest.mark.parametrize("actions", [np.array([1.0, 0.0, 2.0]), np.array([1, 0, 2], np.uint8)])
def test_categories_may_be_stored_as_any_numbers(make: Any, actions: Any) -> None:
    space = gym.spaces.Discrete(4, start=-1)
    loaded = load([make(lengths=[3], change=lambda _, columns: columns.update(actions=actions), action_space=space)])
    assert loaded.episode(0).action.argmax(1).tolist() == [2, 1, 3]


@pytest.mark.parametrize("value", [0.5, np.nan, np.inf, 1e300])
def test_a_category_that_is_no_whole_number_is_refused(make: Any, value: float) -> None:
    actions, space = np.array([1.0, value, 2.0]), gym.spaces.Discrete(4)
    with pytest.raises(UserError, match=r"episode 0, column actions has a category (that is no whole number|outside)"):
        load([make(lengths=[3], change=lambda _, columns: columns.update(actions=actions), action_space=space)])
