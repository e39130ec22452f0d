"""The requests of the Hub's protocol that the loopback server understands."""

import base64
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import yaml

from tests.hub.store import LFS, Files, Refusal

if TYPE_CHECKING:
    from tests.hub.server import Handler

Match = re.Match[str]


def admit(handler: "Handler", kind: str, name: str, *, write: bool = False) -> dict[str, Any]:
    """The repository, if whoever asks may see (or change) it."""
    token = handler.token
    if token is not None and token not in handler.hub.tokens:
        raise Refusal(401, "", "Invalid credentials in Authorization header")
    if write and token is None:
        raise Refusal(401, "", "Invalid username or password.")
    repository = handler.hub.store.read(kind, name)
    if repository["private"] and token is None:
        raise Refusal(401, "RepoNotFound", "Repository not found")
    if write and not handler.hub.tokens[str(token)]:
        raise Refusal(403, "", "This token may read only")
    return repository


def place(found: Match) -> tuple[str, str]:
    return found["kind"] or "models", unquote(found["name"])


def create(handler: "Handler", _: Match) -> None:
    asked = handler.json()
    kind, name = asked.get("type", "model") + "s", f"{asked['organization']}/{asked['name']}"
    if not handler.hub.tokens.get(handler.token or "", False):
        known = handler.token in handler.hub.tokens
        raise Refusal(403 if known else 401, "", "no right to create" if known else "Invalid username or password.")
    made = handler.hub.store.create(kind, name, asked.get("visibility") == "private" or asked.get("private") is True)
    answer = {"url": f"{handler.hub.url}/{name}", "id": name, "name": name}
    handler.answer(answer if made else answer | {"error": "You already created this repo"}, status=200 if made else 409)


def validate_yaml(handler: "Handler", _: Match) -> None:
    handler.answer({"errors": [], "warnings": []})


def preupload(handler: "Handler", found: Match) -> None:
    kind, name = place(found)
    admit(handler, kind, name, write=True)
    there = handler.hub.store.files(kind, name, unquote(found["revision"]))
    handler.answer({"files": [_mode(file["path"], there) for file in handler.json()["files"]]})


def _mode(path: str, there: Files) -> dict[str, Any]:
    large = path.endswith(LFS)
    oid = {"oid": there[path]["sha256" if large else "git"]} if path in there else {}
    return {"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False} | oid


def lfs_batch(handler: "Handler", found: Match) -> None:
    admit(handler, *place(found), write=True)
    answers = []
    for wanted in handler.json()["objects"]:
        href = f"{handler.hub.url}/lfs/{wanted['oid']}"
        actions = {"actions": {"upload": {"href": href}, "verify": {"href": f"{href}/verify"}}}
        answers.append(wanted | ({} if handler.hub.store.has(wanted["oid"]) else actions))
    handler.answer({"transfer": "basic", "objects": answers})


def lfs_put(handler: "Handler", found: Match) -> None:
    if hashlib.sha256(handler.body).hexdigest() != found["oid"]:
        raise Refusal(400, "", "The content does not have the announced SHA-256")
    handler.hub.store.put(handler.body, lfs=True)
    handler.answer({})


def lfs_verify(handler: "Handler", found: Match) -> None:
    handler.answer({}, status=200 if handler.hub.store.has(found["oid"]) else 404)


def lfs_get(handler: "Handler", found: Match) -> None:
    handler.answer(handler.hub.store.get(found["oid"]), headers={"ETag": f'"{found["oid"]}"', "Accept-Ranges": "bytes"})


def commit(handler: "Handler", found: Match) -> None:
    kind, name = place(found)
    admit(handler, kind, name, write=True)
    lines = [json.loads(line) for line in handler.body.splitlines() if line]
    header = lines[0]["value"]
    add: Files = {}
    for line in lines[1:]:
        value = line["value"]
        if line["key"] == "file":
            add[value["path"]] = handler.hub.store.put(base64.b64decode(value["content"]), lfs=False)
        elif line["key"] == "lfsFile":
            if not handler.hub.store.has(value["oid"]):
                raise Refusal(400, "", f"LFS object {value['oid']} was not uploaded")
            add[value["path"]] = handler.hub.store.put(handler.hub.store.get(value["oid"]), lfs=True)
    delete = [line["value"]["path"] for line in lines if line["key"] == "deletedFile"]
    parent, branch = header.get("parentCommit"), unquote(found["revision"])
    oid = handler.hub.store.commit(kind, name, branch, parent, add, delete, header["summary"])
    handler.answer({"commitUrl": f"{handler.hub.url}/{name}/commit/{oid}", "commitOid": oid, "success": True})


def branch(handler: "Handler", found: Match) -> None:
    kind, name = place(found)
    admit(handler, kind, name, write=True)
    start = None
    if handler.command == "POST":
        start = handler.hub.store.resolve(kind, name, handler.json().get("startingPoint", "main"))
    handler.hub.store.point(kind, name, "branches", unquote(found["revision"]), start)
    handler.answer({})


def tag(handler: "Handler", found: Match) -> None:
    kind, name = place(found)
    admit(handler, kind, name, write=True)
    start = handler.hub.store.resolve(kind, name, unquote(found["revision"]))
    handler.hub.store.point(kind, name, "tags", handler.json()["tag"], start)
    handler.answer({})


def refs(handler: "Handler", found: Match) -> None:
    repository = admit(handler, *place(found))
    answer = {
        table: [{"name": name, "ref": f"refs/{ref}/{name}", "targetCommit": oid} for name, oid in there.items()]
        for table, ref, there in (
            ("branches", "heads", repository["branches"]),
            ("tags", "tags", repository["tags"]),
        )
    }
    handler.answer(answer | {"converts": []})


def info(handler: "Handler", found: Match) -> None:
    kind, name = place(found)
    repository = admit(handler, kind, name)
    handler.answer(_info(handler, kind, name, unquote(found["revision"] or "main"), repository))


def _info(handler: "Handler", kind: str, name: str, revision: str, repository: dict[str, Any]) -> dict[str, Any]:
    files = handler.hub.store.files(kind, name, revision)
    front: dict[str, Any] = {}
    if card := files.get("README.md"):
        text = handler.hub.store.get(card["sha256"]).decode(errors="replace")
        front = yaml.safe_load(text.split("\n---\n")[0].removeprefix("---\n")) if text.startswith("---\n") else {}
    return {
        "id": name,
        "sha": handler.hub.store.resolve(kind, name, revision),
        "private": repository["private"],
        "gated": repository["gated"],
        "downloads": 0,
        "likes": 0,
        "lastModified": "2026-01-02T03:04:05.000Z",
        "tags": [*front.get("tags", []), *([front["library_name"]] if "library_name" in front else [])],
        "siblings": [{"rfilename": path, "blobId": entry["git"]} | _described(entry) for path, entry in files.items()],
    }


def _described(entry: dict[str, Any]) -> dict[str, Any]:
    digest = {"oid": entry["sha256"], "sha256": entry["sha256"], "size": entry["size"], "pointerSize": 130}
    return {"size": entry["size"], "oid": entry["git"]} | ({"lfs": digest} if entry["lfs"] else {})


def tree(handler: "Handler", found: Match) -> None:
    kind, name = place(found)
    admit(handler, kind, name)
    files = handler.hub.store.files(kind, name, unquote(found["revision"]))
    handler.answer([{"type": "file", "path": path} | _described(entry) for path, entry in files.items()])


def listing(handler: "Handler", found: Match) -> None:
    author, search = (handler.query.get(key, [""])[0] for key in ("author", "search"))
    answers = []
    for name in handler.hub.store.repositories(found["kind"]):
        repository = handler.hub.store.read(found["kind"], name)
        visible = handler.token in handler.hub.tokens or not repository["private"]
        described = _info(handler, found["kind"], name, "main", repository)
        fits = name.startswith(f"{author}/" if author else "") and search in name
        if visible and fits and set(handler.query.get("filter", [])) <= set(described["tags"]):
            answers.append(described)
    handler.answer(answers)


def resolve(handler: "Handler", found: Match) -> None:
    kind, name = place(found)
    repository = admit(handler, kind, name)
    if repository["gated"]:
        raise Refusal(403, "GatedRepo", "Access to this model is restricted")
    sha = handler.hub.store.resolve(kind, name, unquote(found["revision"]))
    entry = handler.hub.store.files(kind, name, sha).get(unquote(found["path"]))
    if entry is None:
        raise Refusal(404, "EntryNotFound", "Entry not found")
    headers = {"X-Repo-Commit": sha, "Accept-Ranges": "bytes", "ETag": f'"{entry["git"]}"'}
    if not entry["lfs"]:
        return handler.answer(handler.hub.store.get(entry["sha256"]), headers=headers)
    headers |= {"X-Linked-ETag": f'"{entry["sha256"]}"', "X-Linked-Size": str(entry["size"])}
    # Another host, as the real Hub's storage is.
    storage = handler.hub.url.replace("127.0.0.1", "localhost")
    handler.answer(b"", status=302, headers=headers | {"Location": f"{storage}/lfs/{entry['sha256']}"})


REPOSITORY = r"(?P<name>[^/]+/[^/]+)"
API = rf"/api/(?P<kind>models|datasets)/{REPOSITORY}"
ROUTES = [
    (r"POST /api/repos/create", create),
    (r"POST /api/validate-yaml", validate_yaml),
    (rf"POST {API}/preupload/(?P<revision>[^/]+)", preupload),
    (rf"POST {API}/commit/(?P<revision>[^/]+)", commit),
    (rf"(POST|DELETE) {API}/branch/(?P<revision>[^/]+)", branch),
    (rf"POST {API}/tag/(?P<revision>[^/]+)", tag),
    (rf"GET {API}/refs", refs),
    (rf"GET {API}/tree/(?P<revision>[^/]+)/?", tree),
    (rf"GET {API}(?:/revision/(?P<revision>[^/]+))?", info),
    (r"GET /api/(?P<kind>models|datasets)", listing),
    (rf"POST /(?:(?P<kind>datasets)/)?{REPOSITORY}\.git/info/lfs/objects/batch", lfs_batch),
    (r"PUT /lfs/(?P<oid>\w+)", lfs_put),
    (r"POST /lfs/(?P<oid>\w+)/verify", lfs_verify),
    (r"(GET|HEAD) /lfs/(?P<oid>\w+)", lfs_get),
    (rf"(GET|HEAD) /(?:(?P<kind>datasets)/)?{REPOSITORY}/resolve/(?P<revision>[^/]+)/(?P<path>.+)", resolve),
]
