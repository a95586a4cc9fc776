"""What the operator asks of a llama.cpp server: its counters, what it has loaded, and an answer of one token."""

import re
from typing import Any

import httpx

from coderag_operator.clients.limited import read_limited
from coderag_operator.failover.progress import Counters, Read

WORK = ("n_decode_total", "tokens_predicted_total", "prompt_tokens_total")
LINE = re.compile(r"^llamacpp:(\w+)(?:\{[^}]*\})? (\S+)$", re.MULTILINE)
SIZE_LIMIT = 1024 * 1024
QUESTION = {"messages": [{"role": "user", "content": "ping"}], "max_tokens": 1, "temperature": 0}


async def read_counters(client: httpx.AsyncClient, base: str, key: str, limit: float) -> tuple[Read, Counters | None]:
    """Return the counters of a server; silence and failure are told apart, because only silence may mean a hang."""
    try:
        async with client.stream("GET", f"{base}/metrics", headers=bearer(key), timeout=limit) as answer:
            if answer.status_code in (401, 403):
                return Read.REFUSED, None
            answer.raise_for_status()
            page = await read_limited(answer, SIZE_LIMIT)
        return Read.ANSWERED, parse_counters(page.decode(errors="replace"))
    except (httpx.ReadTimeout, httpx.WriteTimeout):
        return Read.SILENT, None
    except (httpx.HTTPError, ValueError):
        return Read.FAILED, None


def parse_counters(text: str) -> Counters:
    """Return the counters in a page of metrics; raises ValueError where the requests in hand are not among them."""
    found = {name: float(value) for name, value in LINE.findall(text)}
    if "requests_processing" not in found:
        raise ValueError("no llama.cpp metrics")
    held = found["requests_processing"] + found.get("requests_deferred", 0.0)
    return Counters(int(held), tuple(found.get(name, 0.0) for name in WORK))


async def try_canary(client: httpx.AsyncClient, base: str, key: str, limit: float) -> str:
    """Have the server answer with one token; returns what went wrong, empty when nothing did."""
    try:
        url = f"{base}/v1/chat/completions"
        answer = await client.post(url, headers=bearer(key), json=QUESTION, timeout=limit)
        document = answer.json() if answer.status_code == 200 else {}
    except httpx.HTTPError as error:
        return f"a request ended in {type(error).__name__}"
    except ValueError:
        return "the answer is no JSON"
    if answer.status_code != 200:
        return f"a request was answered with {answer.status_code}"
    return "" if document.get("choices") else "the answer has no choices"


async def check_properties(
    client: httpx.AsyncClient, base: str, key: str, model: str, context: int, limit: float
) -> str:
    """Return how what the server has loaded differs from what it was to load, empty when it does not."""
    try:
        answer = await client.get(f"{base}/props", headers=bearer(key), timeout=limit)
        answer.raise_for_status()
        return compare(answer.json(), model, context)
    except (httpx.HTTPError, ValueError) as error:
        return f"its properties cannot be read: {type(error).__name__}"


def compare(properties: dict[str, Any], model: str, context: int) -> str:
    """Return the first difference between a server's properties and the spec; what a build does not tell is no one."""
    loaded = properties.get("model_path")
    if loaded and str(loaded) != model:
        return f"it has loaded {loaded} and not {model}"
    tokens = (properties.get("default_generation_settings") or {}).get("n_ctx")
    # llama.cpp rounds the context of a slot up to a multiple of 256.
    if tokens and not context <= int(tokens) < context + 256:
        return f"a request has {tokens} tokens and not {context}"
    return ""


def bearer(key: str) -> dict[str, str]:
    """Return the header that carries the key."""
    return {"Authorization": f"Bearer {key}"}
