"""A model hub: files with Range, ETag and redirects, and faults on demand.

Faults are query parameters, so that a test states the fault in the very URL that it gives to the code under test:
`?truncate=N` (stop after N bytes), `?ignore-range` (200 to a Range request), `?hang` (accept, never answer),
`?wrong-bytes` (one byte differs), `?fail=CODE`, `?fail-times=N` (503 for the first N requests), `?redirect=URL`,
`?token=SECRET` (401 without that bearer token). `PUT /admin/files/NAME` adds a file.
"""

import hashlib
import re
import threading
import urllib.parse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from e2e.standins.http_server import Handler, parse, serve

RANGE = re.compile(r"bytes=(\d+)-$")
ADMIN = re.compile(r"^/admin/files/([A-Za-z0-9_][A-Za-z0-9._-]{0,99})$")
HANG_SECONDS = 600


class HubHandler(Handler):
    """Routes: /<file>, /sha256.json, and for tests /requests (what was asked for) and /admin/files/<file>."""

    folder: Path
    added: Path
    requests: list[dict[str, str]]
    failures: Counter[str]

    def do_PUT(self) -> None:  # noqa: N802
        """Take a file."""
        found, body = ADMIN.match(self.path), self.read_body()
        if not found:
            self.answer_json(404, {"error": "no such route"})
        elif self.is_admin():
            self.added.mkdir(parents=True, exist_ok=True)
            (self.added / found.group(1)).write_bytes(body)
            self.answer_json(200, {"stored": found.group(1)})

    def do_HEAD(self) -> None:  # noqa: N802 - the name is the protocol of http.server
        """Answer like GET without a body."""
        self.do_GET()

    def do_GET(self) -> None:  # noqa: N802
        """Serve a file, or the fault that the query asks for."""
        url = urllib.parse.urlsplit(self.path)
        query = {key: values[0] for key, values in urllib.parse.parse_qs(url.query, keep_blank_values=True).items()}
        if url.path == "/requests":
            return self.answer_json(200, self.requests)
        self.requests.append(
            {
                "path": url.path,
                "range": self.headers.get("Range", ""),
                "authorization": self.headers.get("Authorization", ""),
            }
        )
        if url.path == "/sha256.json":
            return self.answer_json(200, read_hashes(self.folder))
        if self.answer_fault(url.path, query):
            return None
        return self.answer_file(Path(url.path).name, query)

    def answer_fault(self, path: str, query: dict[str, str]) -> bool:
        """Answer with the fault that stands before the file, if there is one."""
        if "hang" in query:
            threading.Event().wait(HANG_SECONDS)
            return True
        if "redirect" in query:
            self.answer(302, Location=query["redirect"])
            return True
        if "token" in query and self.headers.get("Authorization") != f"Bearer {query['token']}":
            self.answer_json(401, {"error": "a bearer token is needed"})
            return True
        if self.is_failing(path, query):
            self.answer_json(int(query.get("fail", 503)), {"error": "asked for"})
            return True
        return False

    def is_failing(self, path: str, query: dict[str, str]) -> bool:
        """Tell whether this request is one that the query wants to fail."""
        if "fail-times" in query:
            self.failures[path] += 1
            return self.failures[path] <= int(query["fail-times"])
        return "fail" in query

    def answer_file(self, name: str, query: dict[str, str]) -> None:
        """Send a file or the rest of it."""
        path = next((at / name for at in (self.added, self.folder) if (at / name).is_file()), None)
        if path is None:
            return self.answer_json(404, {"error": f"{name} is not here"})
        data = path.read_bytes()
        if "wrong-bytes" in query:
            data = data[:-1] + bytes([data[-1] ^ 1])
        etag = make_etag(data)
        is_same = self.headers.get("If-Range", etag) == etag and "ignore-range" not in query
        found = RANGE.match(self.headers.get("Range", "")) if is_same else None
        start = int(found.group(1)) if found else 0
        if start >= len(data):
            return self.answer(416, Content_Range=f"bytes */{len(data)}")
        return self.send_part(data, start, 206 if found else 200, int(query.get("truncate", len(data))))

    def send_part(self, data: bytes, start: int, code: int, stop: int) -> None:
        """Send bytes from start; the connection breaks at `stop` if that comes before the end."""
        self.send_response(code)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(data) - start))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", make_etag(data))
        if code == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[start:stop])
            self.close_connection = stop < len(data)


def make_etag(data: bytes) -> str:
    """Return a strong ETag, which guards a resumed download."""
    return f'"{hashlib.sha256(data).hexdigest()[:16]}"'


def make_handler(folder: Path, added: Path) -> type[HubHandler]:
    """Return a handler class for two folders, what was there and what is added, with a memory of its own."""
    own = {"folder": folder, "added": added, "requests": [], "failures": Counter()}
    return type("FolderHub", (HubHandler,), own)


def read_hashes(folder: Path) -> dict[str, str]:
    """Return sha256 by file name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.gguf"))}


def main(argv: Sequence[str]) -> int:
    """Run the hub."""
    options = parse("hub", 8080, argv, folder="/srv/models", added="/tmp/models")
    return serve(make_handler(Path(options.folder), Path(options.added)), options.host, options.port)
