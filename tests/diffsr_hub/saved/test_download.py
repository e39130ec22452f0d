"""Loading over HTTP: both files of one commit, no request that is not needed, one line for whatever goes wrong."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub.constants as settings
import pytest
import torch
from huggingface_hub.errors import HfHubHTTPError, RemoteEntryNotFoundError, RepositoryNotFoundError

from diffsr_hub import DiffSR, UserError
from diffsr_hub.cards.card import render
from diffsr_hub.hub.inspect import describe
from diffsr_hub.hub.publish import publish
from diffsr_hub.hub.publishable import publishable
from diffsr_hub.saved import download as download_module
from diffsr_hub.saved.integrity import as_announced
from diffsr_hub.saved.kinds import from_pretrained
from finetune.running.encoder_source import EncoderSource
from tests.hub.faults import Fault
from tests.hub.samples import CLIENTS_OWN_WARNING, NAME
from tests.hub.server import Hub, serve

pytest_plugins = ["tests.hub.fixtures"]
pytestmark = pytest.mark.filterwarnings(CLIENTS_OWN_WARNING)


@pytest.fixture
def commit(hub: Hub, folder: Path) -> str:
    """An encoder is published; nothing is cached."""
    found = publish(folder, NAME, tag="v1").commit
    hub.requests.clear()
    return found


def refusal(source: str | Path = NAME, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        from_pretrained(source, **options)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 700, message
    assert caught.value.__cause__ is None or "hf_" not in repr(caught.value.__cause__)
    return message


def move(hub: Hub, model: DiffSR, tmp_path: Path) -> str:
    """Publish another version."""
    model.save_pretrained(tmp_path / "moved")
    return hub.store.plant(NAME, {file.name: file.read_bytes() for file in (tmp_path / "moved").iterdir()})


# --- what is asked ---------------------------------------------------------------------------------------------------


def test_a_pinned_commit_that_is_cached_makes_no_request(hub: Hub, commit: str) -> None:
    from_pretrained(NAME, revision=commit)
    assert len(hub.requests) == len(hub.asked("config.json|model.safetensors|/lfs/")) > 0
    hub.requests.clear()
    from_pretrained(NAME, revision=commit)
    DiffSR.from_pretrained(NAME, revision=commit)
    assert hub.requests == []


def test_a_branch_that_is_cached_costs_one_request(hub: Hub, commit: str) -> None:
    from_pretrained(NAME)
    hub.requests.clear()
    from_pretrained(NAME)
    assert hub.requests == [f"HEAD /{NAME}/resolve/main/config.json"]


@pytest.mark.parametrize(("moves_at", "expected"), [("model.safetensors", 3), ("GET .*config.json", 9)])
def test_both_files_are_of_one_commit_although_the_branch_moves_in_between(
    hub: Hub,
    commit: str,
    make_encoder: Callable[..., DiffSR],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    moves_at: str,
    expected: int,
) -> None:
    resolve = hub.store.resolve

    def moved(kind: str, name: str, revision: str) -> str:
        if hub.asked(moves_at):
            monkeypatch.setattr(hub.store, "resolve", resolve)
            move(hub, make_encoder(obs_dim=9), tmp_path)
        return resolve(kind, name, revision)

    monkeypatch.setattr(hub.store, "resolve", moved)
    assert from_pretrained(NAME).arguments["obs_dim"] == expected
    assert from_pretrained(NAME).arguments["obs_dim"] == 9


@pytest.mark.parametrize("revision", ["v1", None, "commit"])
def test_tags_branches_and_commits_name_their_version(
    hub: Hub, commit: str, make_encoder: Callable[..., DiffSR], tmp_path: Path, revision: str | None
) -> None:
    move(hub, make_encoder(obs_dim=9), tmp_path)
    model = from_pretrained(NAME, revision=commit if revision == "commit" else revision)
    assert model.arguments["obs_dim"] == (9 if revision is None else 3)


def unplug(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the client at a port that nobody listens to any more."""
    with serve(hub.store.root) as stopped:
        pass
    monkeypatch.setattr(settings, "ENDPOINT", stopped.url)
    template = settings.HUGGINGFACE_CO_URL_TEMPLATE.replace(hub.url, stopped.url)
    monkeypatch.setattr(settings, "HUGGINGFACE_CO_URL_TEMPLATE", template)


# --- offline ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["offline", "local_files_only", "unplugged"])
def test_what_is_cached_is_loaded_without_a_network(
    hub: Hub, commit: str, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    from_pretrained(NAME)
    hub.requests.clear()
    monkeypatch.setattr(settings, "HF_HUB_OFFLINE", way == "offline")
    if way == "unplugged":
        unplug(hub, monkeypatch)
    only = {"local_files_only": way == "local_files_only"}
    assert from_pretrained(NAME, **only).arguments["obs_dim"] == 3
    assert from_pretrained(NAME, revision=commit, **only).arguments["obs_dim"] == 3
    assert hub.requests == []
    for options in ({"source": "org/other"}, {"revision": "v2"}, {"revision": "0" * 40}):
        message = refusal(**{"source": NAME} | options | only)
        assert "is neither a folder nor cached, and the Hub was not reached" in message


def test_the_environment_of_the_process_is_respected(hub: Hub, commit: str, tmp_path: Path) -> None:
    """HF_ENDPOINT, HF_HOME, HF_TOKEN and HF_HUB_OFFLINE are read by the client when it is imported."""
    hub.store.change("models", NAME, private=True)
    program = (
        f"from diffsr_hub.saved.kinds import from_pretrained; print(from_pretrained({NAME!r}).arguments['obs_dim'])"
    )
    home = {"HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1", "NO_PROXY": "127.0.0.1,localhost"}
    for settings_ in ({"HF_TOKEN": "hf_reader"}, {"HF_HUB_OFFLINE": "1"}):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={key: value for key, value in os.environ.items() if not key.startswith("HF_")}
            | {"HF_ENDPOINT": hub.url, "OMP_NUM_THREADS": "1"}
            | home
            | settings_,
            cwd=Path(__file__).parents[3],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, "3\n"), done.stderr
    assert hub.asked("HEAD .*config.json") == [f"HEAD /{NAME}/resolve/main/config.json"]
    assert (tmp_path / "home" / "hub").is_dir()


# --- what is not there, and who may not see it -----------------------------------------------------------------------


def test_what_is_gone_is_told_apart(hub: Hub, commit: str) -> None:
    assert "the Hub has no such repository, or it is private: check the name, or log in" in refusal("org/gone")
    assert refusal(revision="v9") == f"{NAME} on the Hub has no revision 'v9' (branch, tag or commit)"
    assert refusal(revision="0" * 40) == f"{NAME} on the Hub has no revision '{'0' * 40}' (branch, tag or commit)"
    hub.store.plant("org/llama", {"config.json": b"{}"})
    assert "has no config.json and model.safetensors: it is not a model of diffsr-hub" in refusal("org/llama")


def test_private_and_gated_repositories(hub: Hub, commit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.store.change("models", NAME, private=True)
    monkeypatch.setenv("HF_TOKEN", "")
    assert "or it is private: check the name, or log in with `hf auth login`, or set HF_TOKEN" in refusal()
    assert "the token was not accepted" in (wrong := refusal(token="hf_wrong")) and "hf_wrong" not in wrong
    assert from_pretrained(NAME, token="hf_reader").arguments["obs_dim"] == 3


def test_access_has_to_be_asked_for(hub: Hub, commit: str) -> None:
    hub.store.change("models", NAME, gated="manual")
    assert "access has to be asked for on its page" in refusal()


@pytest.mark.parametrize("token", ["hf_bro\nken", "hf_br\u00f6ken", "hf_broken\0"])
def test_a_token_that_no_header_can_hold_is_not_shown(hub: Hub, commit: str, token: str) -> None:
    message = refusal(token=token)
    assert "bro" not in message and "br\u00f6" not in message


def test_a_folder_has_no_revisions(folder: Path) -> None:
    for call in (from_pretrained, DiffSR.from_pretrained, describe):
        with pytest.raises(UserError, match=r"is a folder, which has no revisions: leave 'v1' out"):
            call(str(folder), revision="v1")


# --- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["config.json", "/lfs/"])
@pytest.mark.parametrize("does", ["status", "hang up", "cut", "truncate", "alter"])
@pytest.mark.parametrize("times", [1, 1_000])
def test_a_broken_download_is_repaired_or_one_line_and_never_loaded(
    hub: Hub, commit: str, file: str, does: Any, times: int
) -> None:
    hub.faults = [Fault(f"^(GET|HEAD) .*{file}", does=does, times=times)]
    try:
        model = from_pretrained(NAME)
    except UserError as error:
        assert "\n" not in str(error) and len(str(error)) < 700
    else:
        assert torch.isfinite(model.psi(torch.zeros(3), torch.zeros(2))).all() and times == 1
    hub.faults = []
    model = from_pretrained(NAME)  # whatever the first attempt left in the cache
    assert model.arguments["obs_dim"] == 3


def test_the_server_says_when_to_ask_again(hub: Hub, commit: str, waits: list[float]) -> None:
    hub.faults = [Fault("/lfs/", status=429, headers={"Retry-After": "7"})]
    from_pretrained(NAME)
    assert waits == [8]


def test_weights_that_rotted_in_the_cache_are_downloaded_again(hub: Hub, commit: str) -> None:
    from_pretrained(NAME, revision=commit)
    (weights,) = Path(settings.HF_HUB_CACHE).glob("models--*/snapshots/*/model.safetensors")
    content = weights.read_bytes()
    weights.resolve().write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert not as_announced(weights)
    assert "model.safetensors does not have the hash that the Hub announced" in refusal(
        revision=commit, local_files_only=True
    )
    from_pretrained(NAME, revision=commit)
    assert weights.read_bytes() == content and as_announced(weights)


def test_a_disk_that_is_full_and_a_cache_that_cannot_be_written(
    hub: Hub, commit: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("huggingface_hub.file_download._download_to_tmp_and_move", full)
        assert "the Hub did not give it: [Errno 28] No space left on device" in refusal()
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(settings, "HF_HUB_CACHE", str(tmp_path / "file" / "hub"))  # root may write anywhere else
    assert "the Hub did not give it: [Errno 20] Not a directory" in refusal()


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_cache_for_reading_only_serves_what_is_pinned(
    hub: Hub,
    commit: str,
    monkeypatch: pytest.MonkeyPatch,
    make_encoder: Callable[..., DiffSR],
    tmp_path: Path,
    number: int,
) -> None:
    from_pretrained(NAME, revision=commit)
    move(hub, make_encoder(obs_dim=9), tmp_path)

    def read_only(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("huggingface_hub.file_download._download_to_tmp_and_move", read_only)
    message = refusal()
    assert f"{NAME}: the cache cannot be written ([Errno {number}] {os.strerror(number)})" in message
    assert message.endswith("; load a commit that is in it, or set HF_HOME")
    assert from_pretrained(NAME, revision=commit).arguments["obs_dim"] == 3


# --- where a model is ------------------------------------------------------------------------------------------------


def test_what_is_no_folder_and_no_repository(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "is a file; give the folder" in refusal(tmp_path / "file")
    assert "neither a folder that exists nor a repository id" in refusal(tmp_path / "nothing" / "here" / "either")
    assert "neither a folder that exists nor a repository id" in refusal("x" * 300)
    assert "neither a folder that exists nor a repository id" in refusal("a\0b")
    assert "neither a folder nor cached" in refusal("no-such-org/no-such-encoder", local_files_only=True)


@pytest.mark.parametrize("ask", [from_pretrained, describe, EncoderSource.find])
def test_a_name_beside_folders_is_refused_without_asking_the_hub(
    hub: Hub, commit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ask: Callable[[str], Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "hopper").mkdir(parents=True)
    for wrong, guess in (("runs/hoper", "; did you mean runs/hopper?"), ("runs/x", ""), (f"{tmp_path}/x", "")):
        with pytest.raises(UserError) as caught:
            ask(wrong)
        assert str(caught.value).startswith(f"there is no {wrong} in the folder {os.path.dirname(wrong)}{guess} (")
    assert hub.requests == []
    (tmp_path / NAME.partition("/")[0]).mkdir()
    assert from_pretrained(NAME, revision="main").arguments["obs_dim"] == 3


@pytest.mark.parametrize("kind", ["encoder", "agent"])
@pytest.mark.parametrize(
    "ask", [from_pretrained, DiffSR.from_pretrained, describe, render, lambda folder: publishable(Path(folder), NAME)]
)
def test_the_folder_of_a_run_is_told_from_the_model_inside(
    tmp_path: Path, kind: str, ask: Callable[[Any], Any]
) -> None:
    (tmp_path / kind).mkdir()
    (tmp_path / kind / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError) as caught:
        ask(tmp_path)
    assert str(caught.value) == f"{tmp_path} is the folder of a run; its {kind} is {tmp_path / kind}"


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (
            RemoteEntryNotFoundError,
            "on the Hub has no config.json and model.safetensors: it is not a model of diffsr-hub",
        ),
        (RepositoryNotFoundError, "is not a folder, and the Hub did not give it: no such thing"),
        (HfHubHTTPError, "is not a folder, and the Hub did not give it: no such thing"),
    ],
)
def test_what_the_hub_answers_is_one_line(
    monkeypatch: pytest.MonkeyPatch, kind: type[HfHubHTTPError], message: str
) -> None:
    def refuse(*arguments: object, **options: object) -> str:
        response: Any = SimpleNamespace(headers={}, request=None)
        raise kind("no such\n\nthing", response=response)

    monkeypatch.setattr(download_module, "hf_hub_download", refuse)
    assert refusal("org/name").startswith(f"org/name {message}")


def test_the_hub_is_asked_for_the_revision_with_the_token(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def download(repository: str, name: str, **options: object) -> str:
        asked.append((repository, name, options))
        return str(folder / name)

    monkeypatch.setattr(download_module, "hf_hub_download", download)
    DiffSR.from_pretrained("org/name", revision="v1", token="secret")
    options = {"revision": "v1", "local_files_only": False, "token": "secret"}
    assert asked == [("org/name", name, options) for name in ("config.json", "model.safetensors")]


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert f"{folder} has no {name}: expected config.json and model.safetensors" in refusal(folder)
    (folder / name).mkdir()
    assert f"has no {name}" in refusal(folder)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "last.ckpt", "model.pt"])
def test_pickles_are_never_read(folder: Path, name: str) -> None:
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(b"cos\nsystem\n(S'touch /tmp/diffsr-was-here'\ntR.")
    assert f"{name} can run code when loaded and is never read" in refusal(folder)


def test_without_a_home_nothing_is_cached_in_a_folder_called_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "HF_HUB_CACHE", "~/.cache/huggingface/hub")
    for call in (lambda: from_pretrained(NAME), lambda: describe(NAME)):
        with pytest.raises(UserError, match="no home folder: set HF_HOME to a folder"):
            call()
