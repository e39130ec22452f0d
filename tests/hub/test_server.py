"""The loopback Hub as the real client sees it."""

from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tests.hub.faults import Fault
from tests.hub.samples import CLIENTS_OWN_WARNING
from tests.hub.server import Hub
from tests.hub.store import Store

pytest_plugins = ["tests.hub.fixtures"]
pytestmark = pytest.mark.filterwarnings(CLIENTS_OWN_WARNING)
BIG = bytes(range(256)) * 300


def add(path: str, content: bytes) -> CommitOperationAdd:
    return CommitOperationAdd(path, content)


@pytest.fixture
def api(hub: Hub) -> HfApi:
    api = HfApi()
    api.create_repo("org/name")
    return api


def test_what_is_committed_is_listed_and_downloaded(hub: Hub, api: HfApi, tmp_path: Path) -> None:
    commit = api.create_commit("org/name", [add("a.txt", b"hello"), add("b.safetensors", BIG)], commit_message="m")
    found = snapshot_download("org/name", revision=commit.oid)
    assert (Path(found) / "a.txt").read_bytes() == b"hello"
    assert (Path(found) / "b.safetensors").read_bytes() == BIG
    assert (Path(found) / "b.safetensors").resolve().name == next(
        file.lfs.sha256 for file in api.list_repo_tree("org/name") if getattr(file, "lfs", None)
    )
    info = api.model_info("org/name", files_metadata=True)
    assert info.sha == commit.oid
    assert {file.rfilename: file.size for file in info.siblings or []}["b.safetensors"] == len(BIG)
    assert Store(tmp_path / "hub").resolve("models", "org/name", "main") == commit.oid


def test_branches_and_tags_hold_their_commits(api: HfApi) -> None:
    api.create_branch("org/name", branch="side/way")
    on_branch = api.create_commit("org/name", [add("a", b"1")], commit_message="m", revision="side/way").oid
    api.create_tag("org/name", tag="v1", revision="side/way")
    api.create_commit("org/name", [CommitOperationDelete("a"), add("b", b"2")], commit_message="m", revision="side/way")
    assert api.model_info("org/name", revision="v1").sha == on_branch
    assert set(api.list_repo_files("org/name", revision="side/way")) == {".gitattributes", "b"}
    assert api.list_repo_files("org/name") == [".gitattributes"]
    refs = api.list_repo_refs("org/name")
    assert ({ref.name for ref in refs.branches}, [ref.name for ref in refs.tags]) == ({"main", "side/way"}, ["v1"])


def test_the_second_of_two_commits_on_one_parent_is_refused(api: HfApi) -> None:
    parent = api.model_info("org/name").sha
    api.create_commit("org/name", [add("a", b"1")], commit_message="m", parent_commit=parent)
    with pytest.raises(HfHubHTTPError, match="412"):
        api.create_commit("org/name", [add("a", b"2")], commit_message="m", parent_commit=parent)


def test_what_is_missing_is_told_apart(hub: Hub, api: HfApi) -> None:
    with pytest.raises(RepositoryNotFoundError):
        hf_hub_download("org/nothing", "a")
    with pytest.raises(RevisionNotFoundError):
        hf_hub_download("org/name", "a", revision="nowhere")
    with pytest.raises(EntryNotFoundError):
        hf_hub_download("org/name", "a")
    hub.store.change("models", "org/name", gated="manual")
    with pytest.raises(GatedRepoError):
        hf_hub_download("org/name", ".gitattributes")


def test_private_repositories_and_tokens(hub: Hub, api: HfApi) -> None:
    hub.store.change("models", "org/name", private=True)
    with pytest.raises(RepositoryNotFoundError):
        hf_hub_download("org/name", ".gitattributes", token=False)
    with pytest.raises(HfHubHTTPError, match="401"):
        hf_hub_download("org/name", ".gitattributes", token="hf_wrong")
    assert hf_hub_download("org/name", ".gitattributes", token="hf_reader")
    with pytest.raises(HfHubHTTPError, match="403"):
        api.create_commit("org/name", [add("a", b"1")], commit_message="m", token="hf_reader")


def test_a_cut_download_goes_on_where_it_stopped(hub: Hub, api: HfApi) -> None:
    hub.store.plant("org/name", {"b.safetensors": BIG})
    hub.faults = [Fault("GET /lfs/", does="cut")]
    assert Path(hf_hub_download("org/name", "b.safetensors")).read_bytes() == BIG
    assert len(hub.asked("^GET /lfs/")) == 2


def test_what_was_uploaded_before_a_failure_is_not_sent_again(hub: Hub, api: HfApi) -> None:
    hub.faults = [Fault("/commit/", status=500), Fault("^PUT /lfs", status=503)]
    with pytest.raises(HfHubHTTPError, match="500"):
        api.create_commit("org/name", [add("b.safetensors", BIG)], commit_message="m")
    assert len(hub.asked("^PUT /lfs/")) == 2
    api.create_commit("org/name", [add("b.safetensors", BIG)], commit_message="m")
    assert len(hub.asked("^PUT /lfs/")) == 2
