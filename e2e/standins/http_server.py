"""The small HTTP server under the stand-ins: one thread a request, quiet log, graceful SIGTERM."""

import argparse
import json
import os
import signal
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MAXIMUM_BODY = 512 * 1024 * 1024


class Handler(BaseHTTPRequestHandler):
    """What every stand-in's handler needs beside its own routes."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Stay quiet: queries can hold fault switches, headers hold keys."""

    def read_body(self) -> bytes:
        """Return the request's body; refuses what is larger than any test needs."""
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAXIMUM_BODY:
            raise ValueError(f"the body has {length} bytes, more than {MAXIMUM_BODY}")
        return self.rfile.read(length)

    def answer(self, code: int, body: bytes = b"", kind: str = "application/json", **headers: str) -> None:
        """Send one whole answer."""
        self.send_response(code)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def answer_json(self, code: int, value: Any, **headers: str) -> None:
        """Send a value as JSON."""
        self.answer(code, json.dumps(value).encode(), **headers)

    def is_admin(self) -> bool:
        """Tell whether the request carries the token of the admin routes; answers 401 when it does not."""
        token = os.environ.get("STANDINS_ADMIN_TOKEN", "")
        if token and self.headers.get("Authorization") == f"Bearer {token}":
            return True
        self.answer_json(401, {"error": "admin routes need the token of STANDINS_ADMIN_TOKEN"})
        return False


def parse(name: str, port: int, argv: Sequence[str], **paths: str) -> argparse.Namespace:
    """Parse the options that every stand-in has, and folders of its own."""
    parser = argparse.ArgumentParser(prog=f"python -m e2e.standins {name}")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=port, help="0 takes a free one; it is printed")
    for option, default in paths.items():
        parser.add_argument(f"--{option}", default=default)
    return parser.parse_args(argv)


def make_server(handler: type[Handler], host: str, port: int) -> ThreadingHTTPServer:
    """Bind a server that does not wait for hanging requests when it stops."""
    ThreadingHTTPServer.daemon_threads = True
    return ThreadingHTTPServer((host, port), handler)


def serve(handler: type[Handler], host: str, port: int) -> int:
    """Serve until SIGTERM."""
    server = make_server(handler, host, port)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(json.dumps({"listening": server.server_address[1]}), flush=True)
    server.serve_forever(poll_interval=0.2)
    server.server_close()
    return 0
