"""A scripted server that speaks HTTP: the search service and the judge, as far as the evaluation talks to them."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

Reply = tuple[int, Any] | tuple[int, Any, dict[str, str]]


class Script:
    """What a server answers on each path, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any], str]] = []
        self.replies: dict[str, Callable[[dict[str, Any]], Reply]] = {}
        self.url = ""

    def on(self, path: str, *replies: Reply) -> None:
        """Answer with these, one after the other, the last one for ever."""
        left = list(replies)
        self.replies[path] = lambda _: left.pop(0) if len(left) > 1 else left[0]

    def bodies(self, path: str) -> list[dict[str, Any]]:
        """Return what was posted to a path."""
        return [body for asked, body, _ in self.asked if asked == path]


def hit(path: str, symbols: tuple[str, ...] = (), start: int = 1, end: int = 9, repository: str = "app") -> dict:
    """A hit as the service gives it."""
    lines = {"start_line": start, "end_line": end}
    return {"repository": repository, "path": path, "symbols": list(symbols), **lines}


def found(*hits: dict, commit: str = "c1") -> dict:
    """An answer of /v1/search."""
    about = {"degraded": [], "ranking": "ranking/3", "repositories": [{"name": "app", "commit": commit}]}
    return {"hits": list(hits), **about}


@pytest.fixture
def script() -> Iterator[Script]:
    script = Script()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            script.asked.append((self.path, body, self.headers.get("authorization", "")))
            status, answer, *more = script.replies[self.path](body)
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {"content-length": str(len(data)), **(more[0] if more else {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    script.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield script
    server.shutdown()
    thread.join()
    server.server_close()
