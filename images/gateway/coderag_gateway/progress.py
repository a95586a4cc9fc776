"""Reads a streamed answer as it passes: has a token come, has the end come, was it an error. Pure."""

import json
from typing import Any

Json = dict[str, Any]
DONE = b"[DONE]"


class Progress:
    """What is known of one streamed answer; keeps its pieces only when asked to."""

    def __init__(self, keep: bool = False) -> None:
        """Start with nothing."""
        self.started = self.finished = False
        self.error: Json | None = None
        self.pieces: list[Json] = []
        self._keep = keep
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body, cut anywhere."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._read(line)

    def end(self) -> None:
        """Take the end of the body."""
        self._read(self._rest)
        self._rest = b""

    def _read(self, line: bytes) -> None:
        field, _, value = line.partition(b":")
        value = value.strip()
        if field == b"data" and value == DONE:
            self.finished = True
        elif field in (b"data", b"error") and value:
            self._take(parse(value), field == b"error")

    def _take(self, piece: Json, failed: bool) -> None:
        found = piece if failed else piece.get("error")
        if found:
            self.error = self.error or (found if isinstance(found, dict) else {"message": str(found)})
        choices = list_choices(piece)
        self.started = self.started or any(map(has_token, choices))
        self.finished = self.finished or any(choice.get("finish_reason") for choice in choices)
        if self._keep:
            self.pieces.append(piece)


def parse(value: bytes) -> Json:
    """Return a piece of an answer, empty if it is none."""
    try:
        piece = json.loads(value)
    except (ValueError, RecursionError):
        return {}
    return piece if isinstance(piece, dict) else {}


def list_choices(piece: Json) -> list[Json]:
    """Return the choices of a piece."""
    choices = piece.get("choices")
    return [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []


def has_token(choice: Json) -> bool:
    """Tell whether a choice holds a part of the answer; the role alone is none, servers send it before they think."""
    delta = choice.get("delta")
    said = [value for name, value in delta.items() if name != "role"] if isinstance(delta, dict) else []
    return any([*said, choice.get("text"), choice.get("finish_reason")])
