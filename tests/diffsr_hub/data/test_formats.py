"""Another format is an object with the methods of `Dataset`, and one line in `FORMATS`."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from diffsr_hub.data import load
from diffsr_hub.data.dataset import Spaces, StoredEpisode
from diffsr_hub.data.formats import FORMATS, open_dataset
from diffsr_hub.data.spaces import Leaf
from tests.refusal import refusal

BOX = {"type": "Box", "dtype": "float32", "shape": [1], "low": [-2.0], "high": [2.0]}


class Counting:
    """Episodes of 1, 2, … steps, whose observations, actions and rewards count."""

    format = "counting"

    def __init__(self, name: str) -> None:
        self.id, self.num_episodes = f"counting:{name}", int(name)
        self.spaces = Spaces({"type": "Dict", "subspaces": {"x": BOX, "at": BOX}}, BOX)

    def episodes(self, leaves: Sequence[Leaf], action: Any) -> Iterator[StoredEpisode]:
        assert [leaf.path for leaf in leaves] == [("at",), ("x",)]
        for i in range(1, self.num_episodes + 1):
            frames = np.arange(i + 1).reshape(-1, 1)
            yield [frames, frames * 10, frames[:-1], np.arange(i), np.arange(i) == i - 1]

    def fingerprint(self) -> dict[str, Any]:
        return {"name": self.id}

    def sha256(self) -> str:
        return hashlib.sha256(self.id.encode()).hexdigest()

    def provenance(self) -> dict[str, Any]:
        return {"id": self.id, "namespace": None, "version": None, "source": "local", "env_spec": None}


def test_a_second_format_is_read_cached_and_mixed(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FORMATS, "counting", Counting)
    for _ in range(2):  # the second time from the cache
        episodes = load(["counting:3", "counting:2"])
        assert episodes.lengths.tolist() == [1, 2, 3, 1, 2]
        assert episodes.episode(2).next_obs.tolist() == [[1, 10], [2, 20], [3, 30]]
        assert episodes.episode(2).action.flatten().tolist() == [0, 0.5, 1]
        assert episodes.obs_parts == {"at": 1, "x": 1}
        assert [entry["id"] for entry in episodes.provenance] == ["counting:3", "counting:2"]
    assert "datasets counting:3 and test/coded-v0 do not mix" in refusal(lambda: load(["counting:3", make()]))


def test_an_unknown_format_is_named() -> None:
    assert "unknown format of a dataset 'rlds', valid: minari" in refusal(lambda: open_dataset("rlds:a"))
