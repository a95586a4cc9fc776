"""Makes a streamed answer into the one a caller that does not stream expects, and says which requests allow it. Pure.

The gateway asks the model servers for streams even where its caller did not: only then can it tell a server that
hangs from one that writes a long answer, and ask the other one in time.
"""

import json
from typing import Any

from coderag_gateway.progress import Json, list_choices

# What changes the form of an answer: not worth a second implementation, these wait for the whole answer instead.
SHAPING = ("tools", "functions", "logprobs", "top_logprobs", "best_of", "echo")
ROUTES = ("/chat/completions", "/completions")


def make_streaming(path: str, document: Json) -> bytes | None:
    """Return the request that asks for a stream instead, or None where the answer could not be put together."""
    if not path.endswith(ROUTES) or not document or document.get("stream"):
        return None
    if any(document.get(name) for name in SHAPING) or document.get("n") not in (None, 1):
        return None
    return json.dumps({**document, "stream": True, "stream_options": {"include_usage": True}}).encode()


def assemble(pieces: list[Json]) -> Json:
    """Return the whole answer; what the server says beside the choices (usage, timings) is kept."""
    choices = [choice for piece in pieces for choice in list_choices(piece)]
    answer = {k: v for piece in pieces for k, v in piece.items() if k != "choices" and v is not None}
    reasons = [choice["finish_reason"] for choice in choices if choice.get("finish_reason")]
    end = {"index": 0, "finish_reason": reasons[-1] if reasons else None}
    if any("text" in choice for choice in choices):
        text = "".join(str(choice.get("text") or "") for choice in choices)
        return {**answer, "object": "text_completion", "choices": [{**end, "text": text, "logprobs": None}]}
    return {**answer, "object": "chat.completion", "choices": [{**end, "message": build_message(choices)}]}


def build_message(choices: list[Json]) -> dict[str, Any]:
    """Return the message that the deltas add up to: texts are joined, of anything else the last one counts."""
    message: dict[str, Any] = {"role": "assistant", "content": ""}
    for choice in choices:
        for name, value in (choice.get("delta") or {}).items():
            if isinstance(value, str) and name != "role":
                message[name] = (message.get(name) or "") + value
            elif value is not None:
                message[name] = value
    return message
