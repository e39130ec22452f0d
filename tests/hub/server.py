"""A Hub on loopback that the real huggingface_hub client talks to.

It speaks what the client uses to create, upload (regular and LFS), commit, tag, describe and download; not Xet, pull
requests and discussions. State is in `store`, misbehaviour in `faults`.
"""

import http.server
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.hub import routes
from tests.hub.faults import Fault
from tests.hub.store import Refusal, Store

Route = Callable[["Handler", "re.Match[str]"], None]


class Hub:
    """One server: its address, what it was asked, what it is told to do wrong, and who may do what.

    Args:
        root: Folder of its state.
    """

    def __init__(self, root: Path) -> None:
        self.store = Store(root)
        self.faults: list[Fault] = []
        self.requests: list[str] = []
        self.tokens = {"hf_writer": True, "hf_reader": False}
        """token → whether it may write"""
        hub = self

        class Bound(Handler):
            pass

        Bound.hub = hub
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bound)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def asked(self, pattern: str) -> list[str]:
        """The requests that fit a regular expression on `METHOD /path`."""
        return [request for request in self.requests if re.search(pattern, request)]


@contextmanager
def serve(root: Path) -> Iterator[Hub]:
    """Run a Hub while the context lasts."""
    hub = Hub(root)
    thread = threading.Thread(target=hub.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.server.shutdown()
        hub.server.server_close()
        thread.join()


class Handler(http.server.BaseHTTPRequestHandler):
    """One request: answered by the first route that fits, or as a fault wants it."""

    hub: Hub
    fault: Fault | None = None

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def dispatch(self) -> None:
        split = urlsplit(self.path)
        self.query = parse_qs(split.query)
        request = f"{self.command} {unquote(split.path)}"
        self.hub.requests.append(request)
        self.fault = next((fault for fault in self.hub.faults if fault.fits(request)), None)
        if self.fault and self.fault.does == "hang up":
            self.close_connection = True
            return
        length = int(self.headers.get("Content-Length") or 0)
        if self.fault and self.fault.does == "stop reading":
            self.rfile.read(length // 2)
            self.close_connection = True
            return
        self.body = self.rfile.read(length)
        try:
            if self.fault and self.fault.does == "status":
                raise Refusal(self.fault.status, "", "a fault on purpose")
            # Matched as sent: a slash inside a quoted revision is no separator.
            for pattern, route in routes.ROUTES:
                if found := re.fullmatch(pattern, f"{self.command} {split.path}"):
                    return route(self, found)
            raise Refusal(404, "", f"no route for {request}")
        except Refusal as refusal:
            self.refuse(refusal)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = dispatch

    @property
    def token(self) -> str | None:
        header = self.headers.get("Authorization")
        return header.removeprefix("Bearer ") if header else None

    def json(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.body or b"{}")
        return content

    def answer(self, content: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """Send JSON, or bytes as they are; the range that was asked for, and HEAD, are honoured."""
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if wanted and isinstance(content, bytes):
            status, total, start = 206, len(data), int(wanted[1])
            data = data[start : int(wanted[2]) + 1 if wanted[2] else None]
            headers = (headers or {}) | {"Content-Range": f"bytes {start}-{start + len(data) - 1}/{total}"}
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(data))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(self._spoiled(data))

    def _spoiled(self, data: bytes) -> bytes:
        does = self.fault.does if self.fault else ""
        if does in ("cut", "truncate"):
            return data[: len(data) // 2]
        if does == "alter":
            middle = len(data) // 2
            return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        return data

    def refuse(self, refusal: Refusal) -> None:
        extra = self.fault.headers if self.fault else {}
        headers = {"X-Error-Code": refusal.code, "X-Error-Message": str(refusal)} | extra
        self.answer({"error": str(refusal)}, status=refusal.status, headers=headers)

    def log_message(self, *_: Any) -> None:
        pass
