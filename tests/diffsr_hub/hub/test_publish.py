"""Publishing over HTTP: the folder as it is, whole or not at all, and never over something else."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub.constants as settings
import pytest
from huggingface_hub import snapshot_download

from diffsr_hub import DiffSR, UserError
from diffsr_hub.cards.card import write_card
from diffsr_hub.hub.publish import publish
from tests.hub.faults import Fault
from tests.hub.publishing import contents, refusal, rewrite
from tests.hub.samples import CLIENTS_OWN_WARNING, NAME, png
from tests.hub.server import Hub
from tests.hub.store import Refusal

pytest_plugins = ["tests.hub.fixtures"]
pytestmark = pytest.mark.filterwarnings(CLIENTS_OWN_WARNING)


# --- what is there afterwards ----------------------------------------------------------------------------------------


def test_what_is_published_is_the_folder_byte_for_byte_in_one_commit(hub: Hub, folder: Path) -> None:
    done = publish(folder, NAME)
    assert done.url == f"{hub.url}/{NAME}"
    found = contents(snapshot_download(NAME, revision=done.commit, ignore_patterns=[".gitattributes"]))
    assert found == contents(folder)
    assert len(hub.asked("/commit/")) == 1
    loaded, exported = DiffSR.from_pretrained(NAME, revision=done.commit), DiffSR.from_pretrained(folder)
    for name, tensor in exported.state_dict().items():
        assert tensor.equal(loaded.state_dict()[name])


def test_a_new_version_replaces_the_old_one_and_the_old_commit_stays(
    hub: Hub, folder: Path, make_encoder: Callable[..., DiffSR]
) -> None:
    old_files, old = contents(folder), publish(folder, NAME, tag="v1").commit
    hub.store.plant(NAME, {"leftover.md": b"of an older format"})
    rewrite(folder, make_encoder(seed=1))
    new = publish(folder, NAME, message="Better").commit
    assert set(hub.store.files("models", NAME, new)) == {*contents(folder), ".gitattributes"}
    assert hub.store.read("models", NAME)["commits"][new]["title"] == "Better"
    for revision in ("v1", old):
        assert contents(snapshot_download(NAME, revision=revision, ignore_patterns=[".gitattributes"])) == old_files


def test_publishing_the_same_again_changes_nothing(hub: Hub, folder: Path) -> None:
    assert publish(folder, NAME) == publish(folder, NAME)
    assert len(hub.store.read("models", NAME)["commits"]) == 2


def test_a_branch_is_made_and_main_stays_as_it_is(hub: Hub, folder: Path) -> None:
    done = publish(folder, NAME, revision="wide/net")
    assert hub.store.resolve("models", NAME, "wide/net") == done.commit
    assert set(hub.store.files("models", NAME, "main")) == {".gitattributes"}
    assert publish(folder, NAME, revision="wide/net") == done


def test_private_is_private_from_the_first_moment(hub: Hub, folder: Path) -> None:
    publish(folder, NAME, private=True)
    assert hub.store.read("models", NAME)["private"] is True
    publish(folder, NAME)
    assert hub.store.read("models", NAME)["private"] is True


def test_a_public_repository_is_not_taken_for_a_private_one(hub: Hub, folder: Path) -> None:
    before = hub.store.plant(NAME, {})
    assert "exists and is public" in refusal(folder, private=True)
    assert hub.store.resolve("models", NAME, "main") == before


def test_a_password_in_the_address_of_the_hub_is_not_printed(
    hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "ENDPOINT", hub.url.replace("http://", "http://user:secret@"))
    hub.tokens["Basic dXNlcjpzZWNyZXQ="] = True  # what the client sends for that, and no token
    done = publish(folder, NAME)
    assert done.url == f"{hub.url}/{NAME}".replace("http://", "http://***@")


# --- what is there already -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.bin": b"", "b.md": b""}, "no config.json, but a.bin, b.md"),
        ({"config.json": b'{"model_type": "llama"}'}, "a config.json that is not of diffsr-hub"),
        ({"config.json": b"["}, "a config.json that is not of diffsr-hub"),
        ({"config.json": b"[]"}, "a config.json that is not of diffsr-hub"),
    ],
)
def test_a_repository_of_another_kind_is_never_overwritten(
    hub: Hub, folder: Path, files: dict[str, bytes], message: str
) -> None:
    before = hub.store.plant(NAME, files)
    assert refusal(folder) == f"{NAME} holds something else ({message}); publish under another name"
    assert hub.store.resolve("models", NAME, "main") == before


def test_a_tag_is_never_moved(hub: Hub, folder: Path) -> None:
    before = publish(folder, NAME, tag="v1").commit
    rewrite(folder, discount=0.9)
    assert "already has a tag v1" in refusal(folder, tag="v1")
    assert hub.store.resolve("models", NAME, "main") == before


def test_a_tag_of_this_very_version_is_fine(hub: Hub, folder: Path) -> None:
    assert publish(folder, NAME, tag="v1") == publish(folder, NAME, tag="v1")
    assert len(hub.asked("^POST .*/tag/")) == 1


@pytest.mark.parametrize(
    "options",
    [{"revision": "agent"}, {"revision": "agent", "tag": "v2"}, {"tag": "v1"}, {"revision": "b", "tag": "v1"}],
)
def test_a_refusal_changes_nothing_not_even_the_branches(
    hub: Hub, folder: Path, agent_folder: Path, options: dict[str, str]
) -> None:
    publish(folder, NAME, tag="v1")
    before = hub.store.read("models", NAME)
    if "agent" in options.values():
        write_card(agent_folder, NAME)
        assert "holds something else (a DiffSR, not a Agent)" in refusal(agent_folder, **options)
    else:
        rewrite(folder, discount=0.9)
        assert "already has a tag v1" in refusal(folder, **options)
    assert hub.store.read("models", NAME) == before


def test_a_branch_is_no_tag_and_a_tag_no_branch(hub: Hub, folder: Path) -> None:
    publish(folder, NAME, tag="v1")
    assert f"v1 is a tag of {NAME}, which never moves; --revision takes a branch" in refusal(folder, revision="v1")
    assert f"main is a branch of {NAME}, which moves; --tag takes another name" in refusal(folder, tag="main")
    assert "b is a branch" in refusal(folder, revision="b", tag="b")


@pytest.mark.parametrize("files", [["README.md"], ["README.md", "LICENSE"]])
def test_a_repository_that_the_hubs_page_made_is_empty(hub: Hub, folder: Path, files: list[str]) -> None:
    hub.store.plant(NAME, dict.fromkeys(files, b"license: mit"))
    publish(folder, NAME)
    there = hub.store.files("models", NAME, "main")
    assert set(there) == {*contents(folder), ".gitattributes", *files}


# --- faults ----------------------------------------------------------------------------------------------------------


REQUESTS = [
    "^GET /api/models/org",
    "/repos/create",
    "^GET .*/refs",
    "^POST .*/branch/",
    "/validate-yaml",
    "/preupload/",
    "objects/batch",
    "^PUT /lfs",
    "^POST /lfs/.*/verify",
    "/commit/",
    "^POST .*/tag/",
]


@pytest.mark.parametrize("times", [1, 100])
@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize("does", ["status", "hang up", "stop reading", "cut"])
def test_a_failing_server_leaves_the_old_version_or_has_the_new_one(
    hub: Hub, folder: Path, request_: str, does: Any, times: int
) -> None:
    """A new repository for the request that makes one; else a new version of a model, on a branch if one is made."""
    old, branch = set(), "side" if "branch" in request_ else "main"
    if "create" not in request_:
        old = {publish(folder, NAME).commit}
        rewrite(folder, discount=0.9)
        (folder / "diagnostics.png").write_bytes(png() + b"another")
    before = contents(folder)
    hub.faults = [Fault(request_, does=does, times=times)]
    try:
        publish(folder, NAME, revision=branch, tag="v2")
    except UserError as error:
        assert "\n" not in str(error)
        there = hub.store.read("models", NAME)["branches"] if NAME in hub.store.repositories("models") else {}
        told = re.search(r"has the commit (\w+), but maybe not the tag v2: repeat the command: ", str(error))
        if told:
            assert there[branch] == told[1]
        else:
            assert str(error).startswith(f"{folder} was not published as {NAME}: ")
            assert set(there.values()) <= old or not old
    hub.faults = []
    assert contents(folder) == before
    done = publish(folder, NAME, revision=branch, tag="v2")  # the next attempt works, whatever the first one left
    assert hub.store.resolve("models", NAME, "v2") == done.commit == hub.store.resolve("models", NAME, branch)
    assert contents(snapshot_download(NAME, revision="v2", ignore_patterns=[".gitattributes"])) == before


@pytest.mark.parametrize(("status", "does"), [(500, "status"), (503, "status"), (0, "cut")])
def test_a_commit_that_is_there_is_found_although_its_answer_was_lost(
    hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch, status: int, does: str
) -> None:
    old = publish(folder, NAME).commit
    rewrite(folder, discount=0.9)
    commit = hub.store.commit

    def lost(*arguments: Any) -> str:
        monkeypatch.setattr(hub.store, "commit", commit)
        oid = commit(*arguments)
        if does == "status":
            raise Refusal(status, "", "the answer was lost")
        return oid

    monkeypatch.setattr(hub.store, "commit", lost)
    hub.faults = [Fault("/commit/", does="cut")] if does == "cut" else []
    done = publish(folder, NAME, tag="v2")
    assert [hub.store.resolve("models", NAME, name) for name in ("main", "v2")] == [done.commit] * 2
    assert done.commit != old and len(hub.store.read("models", NAME)["commits"]) == 3


def test_a_hub_that_is_gone_after_the_commit_is_not_said_to_have_nothing(hub: Hub, folder: Path) -> None:
    hub.faults = [Fault("/commit/", does="cut"), Fault("^GET .*/revision/", times=100)]
    assert "may have a new commit on main, which could not be checked: repeat the command: " in refusal(folder)
    hub.faults = []
    assert len({publish(folder, NAME).commit, publish(folder, NAME).commit}) == 1


def test_the_server_says_when_to_ask_again(hub: Hub, folder: Path, waits: list[float]) -> None:
    hub.faults = [Fault("objects/batch", status=429, headers={"Retry-After": "7"})]
    publish(folder, NAME)
    assert waits == [8]


def test_weights_are_not_sent_twice(hub: Hub, folder: Path) -> None:
    hub.faults = [Fault("/commit/")]
    refusal(folder)
    sent = len(hub.asked("^PUT /lfs/"))
    publish(folder, NAME)
    assert len(hub.asked("^PUT /lfs/")) == sent == 2


def test_of_two_publishers_at_once_one_is_told(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(folder, NAME)
    rewrite(folder, discount=0.9)
    put = hub.store.commit
    others: list[str] = []

    def somebody_was_faster(*arguments: Any) -> str:
        monkeypatch.setattr(hub.store, "commit", put)
        others.append(hub.store.plant(NAME, {"README.md": b"theirs"}))
        return put(*arguments)

    monkeypatch.setattr(hub.store, "commit", somebody_was_faster)
    assert "somebody else published there in the meantime" in refusal(folder)
    assert [hub.store.resolve("models", NAME, "main")] == others


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("hf_wrong", "the token was not accepted"),
        ("hf_reader", "does not have the right to do that"),
        ("", "log in with `hf auth login`, or set HF_TOKEN"),
        ("hf_br\u00f6ken", "was not published as"),
    ],
)
def test_a_token_that_does_not_do(
    hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch, token: str, message: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    found = refusal(folder)
    assert message in found and not (token and token in found)
    assert hub.store.repositories("models") == []


def test_a_hub_that_holds_other_bytes_is_noticed(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put = hub.store.put
    monkeypatch.setattr(hub.store, "put", lambda content, *, lfs: put(content if lfs else content + b" ", lfs=lfs))
    message = refusal(folder)
    assert re.search(r"has a new commit \w{40}, but \S+ has other bytes than the folder's", message)


def test_without_a_network(folder: Path, hub: Hub) -> None:
    hub.server.socket.close()
    hub.faults = [Fault(".", does="hang up", times=1000)]
    assert "was not published as" in refusal(folder)
