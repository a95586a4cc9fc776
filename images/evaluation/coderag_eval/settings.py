"""Where the services are, from the environment: addresses and keys never stand on a command line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit


class InvalidSettings(Exception):  # noqa: N818 - reads as the state it names
    """The environment lacks something or holds something impossible; the message names the variable."""


@dataclass(frozen=True)
class Endpoint:
    """An address and its key; the key is in no representation."""

    url: str
    key: str = field(repr=False)

    @property
    def shown(self) -> str:
        """The address as reports show it: without user, password and query."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "") + parts.path


def rag_endpoint(environ: Mapping[str, str]) -> Endpoint:
    """Return the search service; raises InvalidSettings."""
    return _endpoint(environ, "RAG_URL", "RAG_API_KEY", "http://127.0.0.1:8002")


def judge_endpoint(environ: Mapping[str, str]) -> tuple[Endpoint, str] | None:
    """Return the judge and its model, None when none is configured; raises InvalidSettings."""
    if not environ.get("JUDGE_URL"):
        return None
    if not environ.get("JUDGE_MODEL"):
        raise InvalidSettings("JUDGE_MODEL is missing: name the model that JUDGE_URL should run")
    return _endpoint(environ, "JUDGE_URL", "JUDGE_API_KEY", "https://host/v1"), environ["JUDGE_MODEL"]


def _endpoint(environ: Mapping[str, str], url: str, key: str, example: str) -> Endpoint:
    address = environ.get(url, "")
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise InvalidSettings(f"{url} is no http(s) address: give one such as {example}")
    return Endpoint(address, environ.get(key, ""))
