"""What a server-sent line of a chat completion says: a piece of text, the end, or an error."""

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Piece:
    """One event of a stream."""

    text: str = ""
    is_end: bool = False
    error: str = ""


NOTHING = Piece()


def read_piece(line: str) -> Piece:
    """Return what one line of the stream says; comments and empty lines say nothing."""
    if not line.startswith("data:"):
        return NOTHING
    data = line[5:].strip()
    if data == "[DONE]":
        return Piece(is_end=True)
    try:
        event = json.loads(data)
    except ValueError:
        return Piece(error=f"not JSON: {data[:80]}")
    if event.get("error"):
        return Piece(error=json.dumps(event["error"])[:300])
    return read_choice((event.get("choices") or [{}])[0])


def read_choice(choice: dict) -> Piece:
    """Return the text of a choice, and whether it is the last."""
    delta = choice.get("delta") or {}
    text = delta.get("content") or delta.get("reasoning_content") or choice.get("text") or ""
    return Piece(text, is_end=bool(choice.get("finish_reason")))
