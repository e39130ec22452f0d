"""Repositories of the loopback Hub, kept on disk: one JSON file each, and one file for every content."""

import hashlib
import json
import re
import threading
from pathlib import Path
from typing import Any

from diffsr_hub.files.atomic import write_bytes, write_json

Files = dict[str, dict[str, Any]]
LFS = (".safetensors", ".png", ".bin", ".hdf5", ".mp4")
REF = re.compile(r"[^\s\x00-\x20~^:?*\[\\.-][^\s\x00-\x20~^:?*\[\\]{0,99}")
"""roughly what git takes as the name of a branch or a tag"""


class Refusal(Exception):
    """An answer other than 200: its status, and the code by which the client tells the reasons apart."""

    def __init__(self, status: int, code: str = "", message: str = "") -> None:
        super().__init__(message or code)
        self.status, self.code = status, code


class Store:
    """What a Hub remembers.

    Args:
        root: Folder of the state; a second store on it sees the same repositories.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lock = threading.RLock()
        (root / "blobs").mkdir(parents=True, exist_ok=True)

    def create(self, kind: str, name: str, private: bool) -> bool:
        """Make a repository with an empty first commit; False where it exists."""
        with self.lock:
            if self._file(kind, name).exists():
                return False
            self._file(kind, name).parent.mkdir(parents=True, exist_ok=True)
            self._write(kind, name, {"private": private, "gated": False, "commits": {}, "branches": {}, "tags": {}})
            first = {".gitattributes": self.put(b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n", lfs=False)}
            self._append(kind, name, "main", first, "initial commit")
            return True

    def repositories(self, kind: str) -> list[str]:
        return sorted(file.parent.relative_to(self.root / kind).as_posix() for file in self.root.glob(f"{kind}/*/*/*"))

    def read(self, kind: str, name: str) -> dict[str, Any]:
        if not self._file(kind, name).exists():
            raise Refusal(404, "RepoNotFound", "Repository not found")
        content: dict[str, Any] = json.loads(self._file(kind, name).read_text())
        return content

    def change(self, kind: str, name: str, **entries: Any) -> None:
        """Set `private`, `gated` and the like."""
        with self.lock:
            self._write(kind, name, self.read(kind, name) | entries)

    def resolve(self, kind: str, name: str, revision: str) -> str:
        """The commit of a branch, a tag or a commit."""
        repository = self.read(kind, name)
        if revision in repository["commits"]:
            return revision
        named: str | None = (repository["branches"] | repository["tags"]).get(revision)
        if named is None:
            raise Refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return named

    def files(self, kind: str, name: str, revision: str) -> Files:
        found: Files = self.read(kind, name)["commits"][self.resolve(kind, name, revision)]["files"]
        return found

    def put(self, content: bytes, *, lfs: bool) -> dict[str, Any]:
        """Keep a content; its entry in a commit."""
        digest = hashlib.sha256(content).hexdigest()
        write_bytes(self.root / "blobs" / digest, content)
        git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        return {"sha256": digest, "git": git, "size": len(content), "lfs": lfs}

    def has(self, digest: str) -> bool:
        return (self.root / "blobs" / digest).exists()

    def get(self, digest: str) -> bytes:
        return (self.root / "blobs" / digest).read_bytes()

    def commit(
        self, kind: str, name: str, branch: str, parent: str | None, add: Files, delete: list[str], title: str
    ) -> str:
        """Move a branch to a new commit, unless somebody moved it away from `parent` in the meantime."""
        with self.lock:
            head = self.read(kind, name)["branches"].get(branch)
            if head is None:
                raise Refusal(404, "RevisionNotFound", f"Invalid rev id: {branch}")
            if parent not in (None, head):
                raise Refusal(412, "", "A commit has happened since. Please refresh and try again.")
            kept = {path: entry for path, entry in self.files(kind, name, head).items() if path not in delete}
            return self._append(kind, name, branch, kept | add, title)

    def point(self, kind: str, name: str, table: str, ref: str, commit: str | None) -> None:
        """Make a branch or a tag (409 where it exists), or remove it."""
        with self.lock:
            repository = self.read(kind, name)
            if not REF.fullmatch(ref) or ".." in ref or ref.endswith((".lock", ".", "/")):
                raise Refusal(400, "", f"Invalid reference name: {ref}")
            if commit is not None and ref in repository[table]:
                raise Refusal(409, "", f"Reference already exists: {ref}")
            repository[table] = {key: value for key, value in repository[table].items() if key != ref}
            self._write(kind, name, repository | {table: repository[table] | ({ref: commit} if commit else {})})

    def plant(self, name: str, files: dict[str, bytes], kind: str = "models", branch: str = "main") -> str:
        """Put files into a repository without the client; the commit."""
        self.create(kind, name, private=False)
        added = {path: self.put(content, lfs=path.endswith(LFS)) for path, content in files.items()}
        return self.commit(kind, name, branch, None, added, [], "planted")

    def _append(self, kind: str, name: str, branch: str, files: Files, title: str) -> str:
        repository = self.read(kind, name)
        parent = repository["branches"].get(branch)
        content = json.dumps([name, parent, files, title, len(repository["commits"])]).encode()
        commit = hashlib.sha1(content).hexdigest()
        repository["commits"][commit] = {"parent": parent, "title": title, "files": files}
        repository["branches"][branch] = commit
        self._write(kind, name, repository)
        return commit

    def _file(self, kind: str, name: str) -> Path:
        return self.root / kind / name / "repository.json"

    def _write(self, kind: str, name: str, content: dict[str, Any]) -> None:
        write_json(self._file(kind, name), content)
