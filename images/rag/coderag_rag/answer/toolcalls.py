"""Puts the streamed calls of tools together, for a caller that does not stream. Pure."""

from collections.abc import Mapping
from typing import Any


class CallCollector:
    """Feed it the pieces of an answer in order; `message` is what they add up to."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._calls: dict[int, dict[str, Any]] = {}

    def add(self, delta: Mapping[str, Any]) -> None:
        """Take one piece: `content`, `tool_calls`, or both."""
        self._text.append(delta.get("content", ""))
        for call in delta.get("tool_calls", ()):
            self._add_call(call)

    @property
    def message(self) -> dict[str, Any]:
        """The message so far in OpenAI's form: without text its content is null."""
        content = "".join(self._text) or None
        calls = [self._calls[place] for place in sorted(self._calls)]
        return {"content": content} | ({"tool_calls": calls} if calls else {})

    def _add_call(self, piece: Mapping[str, Any]) -> None:
        empty = {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
        call = self._calls.setdefault(piece.get("index") or 0, empty)
        call["id"] = piece.get("id") or call["id"]
        for name, text in (piece.get("function") or {}).items():
            if name in call["function"] and text:
                call["function"][name] += text
