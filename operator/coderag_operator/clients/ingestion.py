"""The status route of a stack's ingestion worker."""

import json
from typing import Any

import httpx

from coderag_operator.clients.limited import TooLarge, read_limited
from coderag_operator.observed.index import Index, read_index

TIMEOUT = httpx.Timeout(5.0, connect=2.0)
SIZE_LIMIT = 4 * 1024 * 1024


class Refused(Exception):  # noqa: N818 - named after what it says
    """The worker does not know the key: the Secret has changed since it was read."""


class Unavailable(Exception):  # noqa: N818 - named after what it says
    """The worker does not answer, or not with a status."""


async def read_status(client: httpx.AsyncClient, base: str, key: str) -> Index:
    """Return what the worker reports; raises Refused or Unavailable, never anything that shows the key."""
    try:
        async with client.stream("GET", f"{base}/v1/status", headers={"Authorization": f"Bearer {key}"}) as response:
            if response.status_code in (401, 403):
                raise Refused
            response.raise_for_status()
            document = parse(await read_limited(response, SIZE_LIMIT))
    except httpx.HTTPError as error:
        raise Unavailable(type(error).__name__) from None
    except TooLarge as error:
        raise Unavailable(str(error)) from None
    return read_index(document)


def parse(body: bytes) -> dict[str, Any]:
    """Return the status document."""
    try:
        document = json.loads(body)
    except ValueError:
        raise Unavailable("the answer is no JSON") from None
    if not isinstance(document, dict):
        raise Unavailable("the answer is no status")
    return document
