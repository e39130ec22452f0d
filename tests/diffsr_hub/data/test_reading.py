from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from diffsr_hub.data import load
from diffsr_hub.data.minari.source import open_source
from diffsr_hub.data.reading import Reader
from diffsr_hub.errors import UserError


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


def test_images_are_refused_by_name(make: Any) -> None:
    def photograph(_: int, columns: dict[str, Any]) -> None:
        columns["observations"] = np.zeros((len(columns["observations"]), 32, 32, 3), np.uint8)

    space = gym.spaces.Box(0, 255, (32, 32, 3), np.uint8)
    with pytest.raises(UserError, match="dataset test/coded-v0: image observations are not supported yet"):
        load([make(change=photograph, observation_space=space)])


def test_blocks_hold_whole_episodes(make: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("diffsr_hub.data.reading._BLOCK_BYTES", 400)
    blocks = list(Reader(open_source(make(lengths=[5, 1, 7, 2, 1]))))
    assert [block.lengths.tolist() for block in blocks] == [[5, 1, 7], [2, 1]]
    assert all(len(block.frames) == len(block.reward) + len(block.lengths) for block in blocks)
