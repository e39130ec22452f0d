"""The remote against a loopback server that speaks as much of the Hub as Minari needs."""

import http.server
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from diffsr_hub.data import remote

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = "farama-minari/mujoco"


class Hub(http.server.BaseHTTPRequestHandler):
    """One dataset repository, whose files are those of `root`."""

    root: Path

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        files = sorted(p for p in self.root.rglob("*") if p.is_file())
        names = [p.relative_to(self.root).as_posix() for p in files]
        if path == "/api/datasets":
            self.answer(json.dumps([{"id": REPOSITORY}]))
        elif path.startswith(f"/api/datasets/{REPOSITORY}/tree/"):
            sizes = zip(names, (p.stat().st_size for p in files), strict=True)
            entries = [{"type": "file", "path": name, "size": size, "oid": name} for name, size in sizes]
            self.answer(json.dumps(entries))
        elif path.startswith(f"/api/datasets/{REPOSITORY}"):
            self.answer(json.dumps({"id": REPOSITORY, "sha": COMMIT, "siblings": [{"rfilename": n} for n in names]}))
        elif (name := path.partition("/resolve/")[2].partition("/")[2]) in names:
            self.answer((self.root / name).read_bytes())
        else:
            self.answer("", status=404)

    def answer(self, content: str | bytes, status: int = 200) -> None:
        data = content.encode() if isinstance(content, str) else content
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hash(data):x}"')
        if status == 404:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[str]:
    Hub.root = tmp_path / "datasets" / "mujoco"
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_namespace_is_listed_downloaded_and_loaded(make: Any, tmp_path: Path, hub: str) -> None:
    names = [make(f"mujoco/hopper/{tier}-v0", [4, 2]) for tier in ("expert", "medium")]
    make("mujoco/hopperx/medium-v0", [1])
    listed = [*names, "mujoco/hopperx/medium-v0"]
    (Hub.root / "namespace_metadata.json").write_text(json.dumps({"datasets": listed, "namespaces": ["mujoco/hopper"]}))
    code = """
import json
from diffsr_hub.data import load, resolve
lines = []
found = resolve(["mujoco/hopper"], say=lines.append)
again = resolve(["mujoco/hopper"], say=lines.append)
episodes = load(found.ids)
print(json.dumps([found.ids, found.source, again.source, episodes.num_transitions, episodes.provenance]))
"""
    environment = os.environ | {"HF_ENDPOINT": hub, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "0"}
    environment |= {"MINARI_DATASETS_PATH": str(tmp_path / "elsewhere"), "NO_PROXY": "127.0.0.1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    found, source, again, transitions, provenance = json.loads(done.stdout.splitlines()[-1])
    assert (found, source, again, transitions) == (names, "remote", "local", 12)
    assert [entry["source"] for entry in provenance] == ["remote", "remote"]
    assert [entry["hub_revision"] for entry in provenance] == [COMMIT, COMMIT]


def test_a_server_that_answers_is_reachable(hub: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub)
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
