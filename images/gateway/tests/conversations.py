"""Asks the gateway, streamed or not, and tells both in the same words: what came, from whom, how long it took."""

import json
import time
from dataclasses import dataclass
from typing import Any

import httpx

from images.gateway.tests.running import USER, Gateway


@dataclass(frozen=True)
class Told:
    """What a caller was told."""

    status: int
    text: str
    served_by: str | None
    error: dict[str, Any] | None
    headers: httpx.Headers
    seconds: float


def talk(gateway: Gateway, model: str, stream: bool, key: str = USER, **fields: Any) -> Told:
    """Ask a model."""
    began = time.monotonic()
    answer = gateway.ask(model, key, stream=stream, **fields)
    seconds = time.monotonic() - began
    text, error = read_stream(answer) if stream and answer.status_code == 200 else read_document(answer)
    return Told(
        answer.status_code, text, answer.headers.get("x-litellm-model-id"), error, answer.headers, round(seconds, 3)
    )


def read_document(answer: httpx.Response) -> tuple[str, dict[str, Any] | None]:
    """Return text and error of an answer in one piece."""
    document = answer.json()
    if answer.status_code != 200:
        return "", document["error"]
    return document["choices"][0]["message"]["content"], None


def read_stream(answer: httpx.Response) -> tuple[str, dict[str, Any] | None]:
    """Return text and error of a streamed answer; a stream without either end is broken."""
    events = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    pieces = [json.loads(event) for event in events if event != "[DONE]"]
    error = next((piece["error"] for piece in pieces if "error" in piece), None)
    assert (events[-1] == "[DONE]") == (error is None), answer.text
    choices = [choice for piece in pieces for choice in piece.get("choices", [])]
    return "".join(choice["delta"].get("content") or "" for choice in choices), error
