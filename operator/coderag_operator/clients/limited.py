"""Reads an answer as long as it is not larger than it can be, so that no server can fill the operator's memory."""

import httpx


class TooLarge(ValueError):  # noqa: N818 - named after what it says
    """The answer is larger than what was asked for can be."""


async def read_limited(response: httpx.Response, limit: int) -> bytes:
    """Return the body of a streamed response; raises TooLarge where it has more bytes than `limit`, reading no more."""
    body = b""
    async for part in response.aiter_bytes():
        body += part
        if len(body) > limit:
            raise TooLarge("the answer is too large")
    return body
