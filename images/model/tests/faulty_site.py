"""An HTTP server that answers honestly, except where a test put something else in its way."""

import socket
import threading
from collections.abc import Callable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        site = self.server.site
        site.requests.append(dict(self.headers.items()) | {"path": self.path})
        step = site.steps.pop(0) if site.steps else honest
        try:
            step(self, site)
        except ConnectionError:
            self.close_connection = True

    def send(self, status, body=b"", length=None, **headers):
        self.send_response(status)
        size = str(len(body) if length is None else length)
        for name, text in {"Content-Length": size, **headers}.items():
            if text is not None:
                self.send_header(name.replace("_", "-"), text)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Site:
    """What is served, what was asked, what comes next."""

    def __init__(self, content: bytes):
        self.content = content
        self.etag: str | None = '"one"'
        self.requests: list[dict[str, str]] = []
        self.steps: list[Callable] = []
        self.released = threading.Event()
        self.url = ""
        self.sent = 0  # by an endless answer

    def ranges(self):
        return [request.get("Range") for request in self.requests]


def honest(handler, site, stop=None, shift=0):
    """Answer as a good server does; `stop` cuts the connection after so many bytes of the file."""
    asked = handler.headers.get("Range", "")
    fresh = handler.headers.get("If-Range", site.etag) == site.etag
    first, _, last = asked.removeprefix("bytes=").partition("-") if fresh else ("", "", "")
    start, size = int(first or 0), len(site.content)
    if start and start >= size:
        return handler.send(416, Content_Range=f"bytes */{size}")
    stated = min(int(last) + 1, size) if last else size
    place = {"Content-Range": f"bytes {start + shift}-{stated - 1}/{size}"} if first else {}
    end = stated if stop is None else max(stop, start)
    handler.send(206 if first else 200, site.content[start:end], length=stated - start, ETag=site.etag, **place)
    if end < stated:
        handler.close_connection = True
        handler.connection.shutdown(socket.SHUT_RDWR)
    return None


def shifted(by):
    return lambda handler, site: honest(handler, site, shift=by)


def whole_file(handler, site):
    """Ignore the range."""
    handler.send(200, site.content, ETag=site.etag)


def endless(handler, site):
    """Ignore the range and send far more than anybody wants, counting it."""
    handler.close_connection = True
    handler.send_response(200)
    handler.end_headers()
    while site.sent < 64 * 1024 * 1024 and not site.released.is_set():
        site.sent += handler.wfile.write(bytes(65536))


def cut(at):
    return lambda handler, site: honest(handler, site, stop=at)


def status(code, body=b"", **headers):
    return lambda handler, site: handler.send(code, body, **headers)


def hang(handler, site):
    """Send a piece, then nothing until the test ends."""
    handler.send(200, site.content[:40], length=len(site.content), ETag=site.etag)
    handler.wfile.flush()
    site.released.wait(30)
    handler.close_connection = True


def without_length(handler, site):
    """Send everything, the end being the end of the connection."""
    handler.close_connection = True
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(site.content)


class Listener(ThreadingHTTPServer):
    """A server whose clients may leave whenever they like."""

    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


@contextmanager
def serving(site: Site):
    server = Listener(("127.0.0.1", 0), Handler)
    server.site = site
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        site.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
