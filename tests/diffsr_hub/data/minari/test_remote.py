"""The remote against the loopback Hub."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from diffsr_hub.data.minari import remote
from tests.hub.server import Hub, serve

REPOSITORY = "farama-minari/mujoco"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A Hub for programs of their own; nothing of this process points to it."""
    with serve(tmp_path / "hub") as running:
        yield running


def test_a_namespace_is_listed_downloaded_and_loaded(make: Any, tmp_path: Path, hub: Hub) -> None:
    names = [make(f"mujoco/hopper/{tier}-v0", [4, 2]) for tier in ("expert", "medium")]
    make("mujoco/hopperx/medium-v0", [1])
    listed = [*names, "mujoco/hopperx/medium-v0"]
    root = tmp_path / "datasets" / "mujoco"
    (root / "namespace_metadata.json").write_text(json.dumps({"datasets": listed, "namespaces": ["mujoco/hopper"]}))
    files = {file.relative_to(root).as_posix(): file.read_bytes() for file in root.rglob("*") if file.is_file()}
    commit = hub.store.plant(REPOSITORY, files, kind="datasets")
    code = """
import json
from diffsr_hub.data import load, resolve
lines = []
found = resolve(["mujoco/hopper"], say=lines.append)
again = resolve(["mujoco/hopper"], say=lines.append)
episodes = load(found.ids)
print(json.dumps([found.ids, found.source, again.source, episodes.num_transitions, episodes.provenance]))
"""
    environment = os.environ | {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "0"}
    environment |= {"MINARI_DATASETS_PATH": str(tmp_path / "elsewhere"), "NO_PROXY": "127.0.0.1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    found, source, again, transitions, provenance = json.loads(done.stdout.splitlines()[-1])
    assert (found, source, again, transitions) == (names, "remote", "local", 12)
    assert [entry["source"] for entry in provenance] == ["remote", "remote"]
    assert [entry["hub_revision"] for entry in provenance] == [commit, commit]


def test_a_server_that_answers_is_reachable(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert remote.reachable()


def test_a_host_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_PATIENCE_SECONDS", 0.1)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as silent:  # accepts, and says nothing
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert not remote.reachable()


def test_a_name_that_is_never_resolved_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(remote, "_PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(remote, "_answers", lambda _: release.wait(60))
    assert not remote.reachable()
    release.set()


def test_addresses_follow_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    assert (remote.remote_name(), remote.endpoint()) == ("hf://farama-minari", "https://huggingface.co")
    monkeypatch.setenv("HF_ENDPOINT", "http://mirror:8090")
    assert remote.endpoint() == "http://mirror:8090"
    monkeypatch.setenv("MINARI_REMOTE", "gcp://bucket")
    assert (remote.remote_name(), remote.endpoint()) == ("gcp://bucket", "https://storage.googleapis.com")


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("true", True), ("ON", True), ("0", False), ("", False)])
def test_offline_is_spelled_as_the_hub_spells_it(monkeypatch: pytest.MonkeyPatch, value: str, expected: bool) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", value)
    assert remote.offline() is expected
