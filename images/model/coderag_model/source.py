"""One HTTP transfer into a part, judged strictly: bytes are appended only where the server says that they belong.

The HTTP library drops the Authorization header when a redirect leads to another host; a test holds it to that.
"""

import functools
import hashlib
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from coderag_model.deadline import Deadline
from coderag_model.errors import FetchError
from coderag_model.part import Part
from coderag_model.progress import Progress

CONNECT, READ = 10.0, 30.0
RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})", re.ASCII)
TRY_AGAIN = {408, 425, 429}
LONGEST_WAIT = 60.0


def safe_url(url: str) -> str:
    """Return an address without user, password, query and fragment."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "the given address"
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


@dataclass(frozen=True, slots=True)
class Slice:
    """Bytes of a file, the size of the whole file, and its ETag unless that is a weak one."""

    data: bytes
    total: int
    etag: str | None


class Source:
    """An address, with a bearer token where it needs one."""

    def __init__(self, url: str, token: str | None = None, *, read: float = READ, connect: float = CONNECT) -> None:
        self._url = url
        self._key = hashlib.sha256(url.encode()).hexdigest()
        self._headers = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {token}"} if token else {})
        self._timeout = httpx.Timeout(read, connect=connect)

    def pull(self, part: Part, deadline: Deadline) -> None:
        """Transfer what the part lacks; returns when the server has sent the whole file."""
        with self._open(self._range_headers(part)) as response:
            judge_status(response, part)
            total = place(response, part)
            part.note(self._key, response.headers.get("etag"))
            if total is not None:
                part.need_space(total)
            self._copy(response, part, total, deadline)

    def blocks(self, deadline: Deadline) -> Iterator[bytes]:
        """Yield the whole file without keeping it."""
        with self._open({}) as response:
            judge_status(response, None)
            progress = Progress(0, length(response))
            for block in response.iter_raw():
                deadline.left()
                progress.add(len(block))
                yield block

    def slice(self, start: int, size: int, deadline: Deadline) -> Slice:
        """Return up to `size` bytes from `start`; a server that sends the whole file instead is left at once."""
        with self._open({"Range": f"bytes={start}-{start + size - 1}"}) as response:
            expected, total = judge_slice(response, start, size)
            data = bytearray()
            for block in response.iter_raw():
                deadline.left()
                data += block
                if len(data) >= expected:
                    break
        if len(data) < expected:
            raise FetchError("Truncated", f"{len(data)} of {expected} bytes arrived", transient=True)
        return Slice(bytes(data[:expected]), total, strong(response.headers.get("etag")))

    def _range_headers(self, part: Part) -> dict[str, str]:
        if not part.size:
            return {}
        etag = part.etag(self._key)
        return {"Range": f"bytes={part.size}-"} | ({"If-Range": etag} if etag else {})

    @contextmanager
    def _open(self, headers: dict[str, str]) -> Iterator[httpx.Response]:
        """Send the request; every way in which HTTP fails becomes a FetchError."""
        try:
            with (
                httpx.Client(verify=trust(), timeout=self._timeout, follow_redirects=True, max_redirects=10) as client,
                client.stream("GET", self._url, headers=self._headers | headers) as response,
            ):
                yield response
        except httpx.InvalidURL:
            raise FetchError("Unreachable", f"{safe_url(self._url)} or its redirect is not an address") from None
        except (httpx.UnsupportedProtocol, httpx.TooManyRedirects) as error:
            raise FetchError("Unreachable", f"{safe_url(self._url)}: {type(error).__name__}") from None
        except httpx.TransportError as error:
            raise transport_failure(error, self._url) from None

    @staticmethod
    def _copy(response: httpx.Response, part: Part, total: int | None, deadline: Deadline) -> None:
        progress = Progress(part.size, total)
        for block in response.iter_raw():
            deadline.left()
            part.write(block)
            progress.add(len(block))
            if not part.is_plausible():
                kind = str(response.headers.get("content-type", "unknown"))[:60]
                part.clear()
                raise FetchError("NotGguf", f"the server sent something else than a GGUF file (content type {kind})")
        if total is not None and part.size != total:
            raise FetchError("Truncated", f"{part.size} of {total} bytes arrived", transient=True)


@functools.cache
def trust() -> ssl.SSLContext:
    """Return the authorities that the environment trusts (SSL_CERT_FILE), read once: every retry needs them."""
    return httpx.create_ssl_context()


def transport_failure(error: httpx.TransportError, url: str) -> FetchError:
    """Return what a broken connection means: before the answer unreachable, in the middle of it truncated."""
    host = urlsplit(safe_url(url)).netloc
    if isinstance(error, httpx.TimeoutException):
        return FetchError("Unreachable", f"{host} did not answer in time ({type(error).__name__})", transient=True)
    if "location header" in str(error):
        return FetchError("Unreachable", f"{host} redirects to something that is not an address")
    if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError):
        return FetchError("Truncated", f"{host} closed the connection too early", transient=True)
    return FetchError("Unreachable", f"cannot reach {host}: {error}", transient=True)


def judge_status(response: httpx.Response, part: Part | None) -> None:
    """Raise unless the answer carries bytes of the file."""
    status, host = response.status_code, response.url.host
    if status == 416 and part is not None:
        part.clear()  # the file is shorter than what is here: another file
        raise FetchError("Truncated", f"{host} has a shorter file than the part; starting over", transient=True)
    if status in (200, 206):
        return
    if status in (401, 403):
        raise FetchError(
            "Unauthorized", f"{host} answered {status}: the token is missing, wrong or not allowed to read"
        )
    if status in (404, 410):
        raise FetchError("NotFound", f"{host} answered {status}: there is no such file")
    again = status in TRY_AGAIN or status >= 500
    raise FetchError("Unreachable", f"{host} answered {status}", transient=again, retry_after=retry_after(response))


def place(response: httpx.Response, part: Part) -> int | None:
    """Make the part end where the body begins; return the size of the whole file if the server tells it."""
    if response.status_code == 200:
        if part.size:
            part.clear()  # the server ignored the range, or the file is not the one the part is from
        return length(response)
    found = RANGE.fullmatch(response.headers.get("content-range", ""))
    if not part.size or not found or int(found[1]) != part.size or int(found[2]) + 1 != int(found[3]):
        part.clear()
        raise FetchError("Truncated", f"{response.url.host} sent another range than asked for", transient=True)
    part.resumed = True
    return int(found[3])


def judge_slice(response: httpx.Response, start: int, size: int) -> tuple[int, int]:
    """Return how many bytes come and how many the file has; raises unless they are from where they were asked for."""
    host = response.url.host
    if response.status_code == 416:
        raise FetchError("Truncated", f"{host} has no bytes from {start} on")
    judge_status(response, None)
    if response.status_code == 200:
        raise FetchError("Unsupported", f"{host} does not serve ranges of a file, so its header cannot be read alone")
    found = RANGE.fullmatch(response.headers.get("content-range", ""))
    first, last, total = (int(text) for text in found.groups()) if found else (0, 0, 0)
    if not first == start <= last < min(total, start + size):
        raise FetchError("Truncated", f"{host} sent another range than asked for", transient=True)
    return last - first + 1, total


def strong(etag: str | None) -> str | None:
    """Return an ETag that vouches for bytes; a weak one does not."""
    return None if etag is None or etag.startswith("W/") else etag


def length(response: httpx.Response) -> int | None:
    """Return the announced length of the body."""
    text = response.headers.get("content-length", "")
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def retry_after(response: httpx.Response) -> float:
    """Return how long the server wants us to wait, within reason."""
    text = response.headers.get("retry-after", "")
    return min(float(text), LONGEST_WAIT) if text.isdecimal() else 0.0
