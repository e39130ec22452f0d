import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from diffsr_hub.data import Resolution, resolve
from diffsr_hub.data.minari import remote
from diffsr_hub.errors import UserError
from diffsr_hub.suites.meta_world.names import GROUPS, TASKS
from diffsr_hub.suites.meta_world.suite import META_WORLD

LOCAL = [
    "mujoco/hopper/medium-v0",
    "mujoco/hopper/medium-v1",
    "mujoco/hopper/expert-v0",
    "mujoco/hopper/bundled-v0",
    "mujoco/humanoid/simple-v0",
    "mujoco/humanoidstandup/simple-v0",
    "mujoco/ant/bundled-v0",
]


@pytest.fixture
def local(tmp_path: Path) -> Callable[..., None]:
    """Puts datasets into the local folder: only what resolving looks at."""

    def add(*ids: str, minari_version: str = "0.5.4") -> None:
        for identifier in ids:
            folder = tmp_path / "datasets" / identifier / "data"
            folder.mkdir(parents=True)
            (folder / "metadata.json").write_text(json.dumps({"minari_version": minari_version}))
            (folder / "main_data.hdf5").touch()

    return add


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch, local: Callable[..., None]) -> dict[str, Any]:
    """A remote that answers and holds `ids`; records what was downloaded."""
    state: dict[str, Any] = {"ids": ["mujoco/hopper/medium-v0", "mujoco/hopper/expert-v0"], "downloaded": []}

    def download(identifier: str) -> None:
        state["downloaded"].append(identifier)
        local(identifier)

    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr(remote, "reachable", lambda: True)
    monkeypatch.setattr(remote, "remote_ids", lambda prefix: [i for i in state["ids"] if i.startswith(prefix)])
    monkeypatch.setattr(remote, "download", download)
    return state


def collect(name: str) -> list[str]:
    if name not in ("mujoco/hopper", *TASKS, *GROUPS):
        raise UserError(f"no embedded policies for {name}")
    return [f"{namespace}/bundled-v0" for namespace in GROUPS.get(name, (name,))]


def ids(*words: str, **options: Any) -> list[str]:
    return list(resolve(words, say=lambda _: None, **options).ids)


@pytest.mark.parametrize(
    ("word", "tiers", "expected"),
    [
        ("mujoco/hopper/medium-v0", (), ["mujoco/hopper/medium-v0"]),
        ("mujoco/hopper/medium", (), ["mujoco/hopper/medium-v1"]),
        ("mujoco/hopper", (), ["mujoco/hopper/expert-v0", "mujoco/hopper/medium-v1"]),
        ("mujoco/hopper/", (), ["mujoco/hopper/expert-v0", "mujoco/hopper/medium-v1"]),
        ("mujoco/hopper", ("expert",), ["mujoco/hopper/expert-v0"]),
        ("mujoco/hopper", ("bundled", "expert"), ["mujoco/hopper/bundled-v0", "mujoco/hopper/expert-v0"]),
        ("mujoco/humanoid", (), ["mujoco/humanoid/simple-v0"]),
        ("mujoco/ant", (), ["mujoco/ant/bundled-v0"]),
    ],
)
def test_what_is_on_disk_is_found_there(
    local: Callable[..., None], word: str, tiers: tuple[str, ...], expected: list[str]
) -> None:
    local(*LOCAL)
    assert ids(word, tiers=tiers) == expected


def test_several_words_make_one_sorted_set(local: Callable[..., None]) -> None:
    local(*LOCAL)
    lines: list[str] = []
    found = resolve(["mujoco/humanoid", "mujoco/hopper/expert", "mujoco/hopper/expert-v0"], say=lines.append)
    assert found == Resolution(("mujoco/hopper/expert-v0", "mujoco/humanoid/simple-v0"), "local")
    assert lines == ["datasets: mujoco/hopper/expert-v0, mujoco/humanoid/simple-v0"]


def test_versions_that_minari_cannot_read_do_not_count(local: Callable[..., None]) -> None:
    local("mujoco/hopper/medium-v0")
    local("mujoco/hopper/medium-v9", minari_version="99.0.0")
    assert ids("mujoco/hopper/medium") == ["mujoco/hopper/medium-v0"]
    with pytest.raises(UserError, match="medium-v9/data is incomplete, or of a version that this Minari cannot read"):
        ids("mujoco/hopper/medium-v9")


def test_an_earlier_default_is_used_aloud(local: Callable[..., None]) -> None:
    local(*LOCAL)
    lines: list[str] = []
    assert resolve(["mujoco/ant"], say=lines.append).source == "bundled"
    assert "using mujoco/ant/bundled-v0, collected here earlier" in lines[0]


def test_what_is_missing_is_downloaded(online: dict[str, Any]) -> None:
    lines: list[str] = []
    found = resolve(["mujoco/hopper"], say=lines.append)
    assert found == Resolution(("mujoco/hopper/expert-v0", "mujoco/hopper/medium-v0"), "remote")
    assert online["downloaded"] == list(found.ids)
    assert "asking hf://farama-minari (" in lines[0]
    assert "HF_HUB_OFFLINE=1 or --download false" in lines[0]


def test_what_is_on_disk_is_not_asked_for(online: dict[str, Any], local: Callable[..., None]) -> None:
    local("mujoco/hopper/medium-v0")
    assert ids("mujoco/hopper") == ["mujoco/hopper/medium-v0"]
    assert online["downloaded"] == []


def test_only_missing_tiers_are_downloaded(online: dict[str, Any], local: Callable[..., None]) -> None:
    local("mujoco/hopper/medium-v0")
    both = ["mujoco/hopper/expert-v0", "mujoco/hopper/medium-v0"]
    assert ids("mujoco/hopper", tiers=("medium", "expert")) == both
    assert online["downloaded"] == ["mujoco/hopper/expert-v0"]


def test_prefixes_of_the_remote_are_not_namespaces(online: dict[str, Any]) -> None:
    online["ids"] = ["mujoco/humanoid/simple-v0", "mujoco/humanoidstandup/simple-v0"]
    assert ids("mujoco/humanoid") == ["mujoco/humanoid/simple-v0"]


def test_a_remote_that_fails_leads_to_the_default(online: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(prefix: str) -> list[str]:
        raise remote.RemoteError(f"listing {prefix}* failed")

    monkeypatch.setattr(remote, "remote_ids", fail)
    lines: list[str] = []
    found = resolve(["mujoco/hopper"], collect=collect, say=lines.append)
    assert found == Resolution(("mujoco/hopper/bundled-v0",), "bundled")
    assert "listing mujoco/hopper* failed: going on without it" in lines
    assert any("nothing on disk, nothing downloadable: using the embedded behaviour policies" in line for line in lines)


@pytest.mark.parametrize("offline", [True, False])
def test_no_socket_is_opened_when_forbidden(monkeypatch: pytest.MonkeyPatch, offline: bool) -> None:
    touched = []

    def refuse(*arguments: Any, **_: Any) -> Any:
        touched.append(arguments)
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    if not offline:
        monkeypatch.delenv("HF_HUB_OFFLINE")
    assert ids("mujoco/hopper", collect=collect, download=offline) == ["mujoco/hopper/bundled-v0"]
    with pytest.raises(UserError, match="was not asked"):
        ids("mujoco/nothing", collect=collect, download=offline)
    assert touched == []


def test_a_dead_network_is_said_and_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:  # a port where nobody listens
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed.getsockname()[1]}")
        monkeypatch.delenv("HF_HUB_OFFLINE")
        lines: list[str] = []
        assert resolve(["mujoco/hopper"], collect=collect, say=lines.append).source == "bundled"
    assert "does not answer: going on without it" in lines[1]


def test_the_default_does_not_stand_in_for_a_named_dataset() -> None:
    for word, tiers in (("mujoco/hopper/medium-v0", ()), ("mujoco/hopper", ("medium",))):
        with pytest.raises(UserError, match="no dataset fits"):
            ids(word, tiers=tiers, collect=collect)


@pytest.mark.parametrize("word", ["mujoco/hopper/bundled", "mujoco/hopper/bundled-v0"])
def test_the_default_can_be_named(word: str) -> None:
    assert ids(word, collect=collect) == ["mujoco/hopper/bundled-v0"]
    assert ids("mujoco/hopper", collect=collect, tiers=("bundled",)) == ["mujoco/hopper/bundled-v0"]


def test_an_unknown_dataset_lists_what_is_near(local: Callable[..., None], online: dict[str, Any]) -> None:
    local("mujoco/ant/medium-v0")
    with pytest.raises(UserError) as caught:
        ids("mujoco/hoper")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("no dataset fits 'mujoco/hoper'; on this machine, in ")
    for expected in (
        ": mujoco/ant/medium-v0; at hf://farama-minari: mujoco/hopper/expert-v0, mujoco/hopper/medium-v0; ",
        "did you mean mujoco/hopper?",
        "MINARI_DATASETS_PATH",
        "MINARI_REMOTE",
    ):
        assert expected in message


def test_missing_tiers_are_in_the_message(local: Callable[..., None]) -> None:
    local("mujoco/hopper/medium-v0")
    with pytest.raises(
        UserError,
        match=r"'mujoco/hopper' with tiers medium, random; .*: mujoco/hopper/medium-v0; hf:.* not asked; MINARI",
    ):
        ids("mujoco/hopper", tiers=("medium", "random"))


def test_no_word_at_all() -> None:
    with pytest.raises(UserError, match="no dataset was named"):
        resolve([])


@pytest.mark.parametrize("word", ["metaworld/door-open-v3", "metaworld/door-open-v3/bundled-v0"])
def test_a_task_that_ends_like_a_version_is_a_namespace(word: str, local: Callable[..., None]) -> None:
    assert ids(word, collect=collect) == ["metaworld/door-open-v3/bundled-v0"]
    local("metaworld/door-open-v3/bundled-v0")
    assert ids(word) == ["metaworld/door-open-v3/bundled-v0"]


def test_a_group_is_the_datasets_of_its_tasks(local: Callable[..., None]) -> None:
    expected = [f"{task}/bundled-v0" for task in GROUPS["metaworld/ml10-test"]]
    lines: list[str] = []
    found = resolve(["metaworld/ml10-test"], collect=collect, say=lines.append)
    assert found == Resolution(tuple(expected), "bundled")
    assert lines[0].startswith("nothing on disk, nothing downloadable: using the embedded behaviour policies of ")
    for identifier in expected:
        local(identifier)
    assert ids("metaworld/ml10-test") == expected
    local("metaworld/lever-pull-v3/expert-v0")  # somebody's own is preferred, as everywhere
    assert "metaworld/lever-pull-v3/expert-v0" in ids("metaworld/ml10-test")


def test_a_group_may_leave_one_of_its_tasks_out(local: Callable[..., None]) -> None:
    def play(name: str) -> list[str]:
        return [f"{task}/bundled-v0" for task in META_WORLD.members(name)]

    word = "metaworld/ml10-test-without-lever-pull-v3"
    expected = [f"{task}/bundled-v0" for task in GROUPS["metaworld/ml10-test"] if "lever-pull" not in task]
    assert ids(word, collect=play) == expected
    for identifier in expected:
        local(identifier)
    assert ids(word) == expected
    with pytest.raises(UserError, match=r"^unknown Meta-World task .*did you mean metaworld/lever-pull-v3\?"):
        ids("metaworld/ml10-test-without-lever-pul-v3")


def test_what_a_group_lacks_is_listed_and_not_collected_unasked(local: Callable[..., None]) -> None:
    local("metaworld/door-close-v3/bundled-v0")
    with pytest.raises(UserError) as caught:
        ids("metaworld/ml10-test", collect=collect)
    assert str(caught.value) == (
        "4 of the 5 datasets of metaworld/ml10-test are missing: metaworld/drawer-open-v3, metaworld/lever-pull-v3, "
        "metaworld/shelf-place-v3, metaworld/sweep-into-v3; to collect them: diffsr collect metaworld/ml10-test"
    )


def test_what_a_group_lacks_is_downloaded_where_it_can_be(local: Callable[..., None], online: dict[str, Any]) -> None:
    first, *others = [f"{task}/expert-v0" for task in GROUPS["metaworld/ml10-test"]]
    local(first)
    online["ids"] = others
    assert ids("metaworld/ml10-test") == [first, *others]
    assert online["downloaded"] == others


def test_an_unknown_task_names_the_nearest() -> None:
    with pytest.raises(UserError, match=r"did you mean metaworld/door-open-v3\?"):
        ids("metaworld/door-opn-v3", collect=collect)
    with pytest.raises(UserError, match=r"did you mean metaworld/ml10-train\?"):
        ids("metaworld/ml10-trian", collect=collect)


@pytest.mark.parametrize("word", ["metaworld/door-open-v3", "metaworld/door-open-v3/bundled-v0", "metaworld/ml10-test"])
def test_why_a_task_cannot_be_collected_is_in_the_error(word: str) -> None:
    def missing(name: str) -> list[str]:
        raise UserError("Meta-World is not installed: pip install 'diffsr-hub[metaworld]'")

    with pytest.raises(UserError) as caught:
        ids(word, collect=missing)
    line = str(caught.value)
    assert line.startswith(f"no dataset fits '{word}'; none can be collected: Meta-World is not installed: pip ")
    assert "\n" not in line


OLD, NEW = "mujoco/halfcheetah/bundled-v0", "mujoco/halfcheetah/bundled-v1"


def play_halfcheetah(name: str) -> list[str]:
    assert name == "mujoco/halfcheetah"
    return [NEW]


@pytest.mark.parametrize("here", [(), (OLD,)])
@pytest.mark.parametrize("word", ["mujoco/halfcheetah", "mujoco/halfcheetah/bundled", NEW])
def test_the_newest_bundled_version_is_meant_by_every_other_name(
    local: Callable[..., None], word: str, here: tuple[str, ...]
) -> None:
    local(*here)
    assert ids(word, collect=play_halfcheetah) == [NEW]
    assert ids(word, collect=play_halfcheetah, tiers=() if word == NEW else ("bundled",)) == [NEW]
    local(NEW)
    assert ids(word) == [NEW]


def test_an_older_bundled_version_is_loaded_where_it_is_and_named_where_it_is_not(local: Callable[..., None]) -> None:
    with pytest.raises(UserError) as caught:
        ids(OLD, collect=play_halfcheetah)
    assert str(caught.value) == (
        f"{OLD} is not on this machine and cannot be collected any more: it was made with other policies; use {NEW}"
    )
    with pytest.raises(UserError, match="no dataset fits"):
        ids("mujoco/halfcheetah/bundled-v2", collect=play_halfcheetah)
    local(OLD)
    assert ids(OLD) == [OLD]
