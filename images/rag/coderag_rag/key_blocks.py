"""Private keys in PEM, PGP and PuTTY form: found by their first line, and followed for as long as it is key material.

A program that only speaks about such a line keeps everything that follows it.
"""

import re
from collections.abc import Iterator

_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|^Private-Lines: \d{1,4}$", re.M)
_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_BEFORE = r"[ \t\"'`+#*>|,;(]*+"
_AFTER = r"[ \t\r\"'`+,;\\]*+"
_MATERIAL = re.compile(rf"{_BEFORE}(?:[A-Za-z0-9+/=\\]*+|[A-Z][A-Za-z-]{{1,30}}: [^\n\"']{{0,120}}){_AFTER}")


def _line_end(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end


def _end_of(text: str, start: int) -> int:
    """The end of the material that follows a first line."""
    position = reached = start
    while True:
        stop = _line_end(text, position)
        closing = _END.search(text, position, stop)
        if not _MATERIAL.fullmatch(text, position, closing.start() if closing else stop):
            return reached
        if closing:
            return closing.end()
        reached = stop
        if stop == len(text):
            return stop
        position = stop + 1


def key_blocks(text: str) -> Iterator[tuple[int, int]]:
    """Yield where key material begins and ends, its first line included."""
    position = 0
    while begin := _BEGIN.search(text, position):
        position = _end_of(text, begin.end())
        if any(character.isalnum() for character in text[begin.end() : position]):
            yield begin.start(), position
        position = max(position, begin.end())
