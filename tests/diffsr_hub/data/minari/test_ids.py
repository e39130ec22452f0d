import pytest

from diffsr_hub.data.minari.ids import DatasetId, bundled, is_outdated, missing_tiers, parse, select
from diffsr_hub.errors import UserError

KNOWN = [
    "mujoco/hopper/medium-v0",
    "mujoco/hopper/medium-v2",
    "mujoco/hopper/medium-v10",
    "mujoco/hopper/expert-v0",
    "mujoco/hopper/bundled-v0",
    "mujoco/hopper/deep/er-v0",
    "mujoco/humanoid/simple-v0",
    "mujoco/humanoidstandup/simple-v0",
    "mujoco/ant/bundled-v0",
    "plain-v3",
    "metaworld/door-open-v3/expert-v0",
    "metaworld/door-open-v3/bundled-v0",
]


def test_ids_are_taken_apart() -> None:
    assert parse("mujoco/hopper/medium-v0") == DatasetId("mujoco/hopper", "medium", 0)
    assert parse("mujoco/hopper/medium-expert") == DatasetId("mujoco/hopper", "medium-expert", None)
    assert parse("plain-v12") == DatasetId(None, "plain", 12)


@pytest.mark.parametrize("text", ["", "/", "a//b", "a/", "hf://org/a/b-v0", "a b", "../etc"])
def test_what_is_not_an_id_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is not a Minari dataset: write an id"):
        parse(text)


@pytest.mark.parametrize(
    ("word", "tiers", "expected"),
    [
        ("mujoco/hopper/medium-v0", (), ["mujoco/hopper/medium-v0"]),
        ("mujoco/hopper/medium-v0", ("expert",), ["mujoco/hopper/medium-v0"]),
        ("mujoco/hopper/medium-v7", (), []),
        ("mujoco/hopper/medium", (), ["mujoco/hopper/medium-v10"]),
        ("mujoco/hopper", (), ["mujoco/hopper/expert-v0", "mujoco/hopper/medium-v10"]),
        ("mujoco/hopper", ("medium",), ["mujoco/hopper/medium-v10"]),
        ("mujoco/hopper", ("bundled",), ["mujoco/hopper/bundled-v0"]),
        ("mujoco/hopper", ("random",), []),
        ("mujoco/ant", (), ["mujoco/ant/bundled-v0"]),
        ("mujoco/humanoid", (), ["mujoco/humanoid/simple-v0"]),
        ("mujoco", (), []),
        ("plain", (), ["plain-v3"]),
        ("metaworld/door-open-v3", (), ["metaworld/door-open-v3/expert-v0"]),
        ("metaworld/door-open", (), []),
    ],
)
def test_words_expand(word: str, tiers: tuple[str, ...], expected: list[str]) -> None:
    assert select(word, tiers, KNOWN) == expected


def test_missing_tiers_concern_namespaces_only() -> None:
    assert missing_tiers("mujoco/hopper", ("medium", "random"), ["mujoco/hopper/medium-v0"]) == ["random"]
    assert missing_tiers("mujoco/hopper/medium", ("random",), ["mujoco/hopper/medium-v0"]) == []
    assert missing_tiers("mujoco/hopper", ("random",), []) == ["random"]


def test_a_bundled_dataset_has_the_version_of_its_policies() -> None:
    assert bundled("mujoco/hopper") == "mujoco/hopper/bundled-v0"
    assert bundled("mujoco/halfcheetah") == "mujoco/halfcheetah/bundled-v1"
    assert bundled("mine/own") == "mine/own/bundled-v0"
    outdated = [text for text in (*KNOWN, "mujoco/halfcheetah/bundled-v0") if is_outdated(parse(text))]
    assert outdated == ["mujoco/halfcheetah/bundled-v0"]
    assert not is_outdated(parse("mujoco/halfcheetah/bundled"))
