"""Removes secrets before text is embedded, stored or shown.

Every replacement stays on its line and no line is added or removed, so citations keep pointing at the right lines.
Three rules: what has a known shape, what is given to a name that says what it is, and literals that look random.
"""

import re
from typing import NamedTuple

from coderag_rag import entropy, secret_shapes
from coderag_rag.key_blocks import key_blocks

MARK = "[redacted]"


class Redacted(NamedTuple):
    """A text without secrets, and how many were replaced."""

    text: str
    secrets: int


def _marks(block: str) -> str:
    """One mark for each line, with the line ends as they were."""
    return "\n".join(MARK + ("\r" if line.endswith("\r") else "") for line in block.split("\n"))


def _without_keys(text: str) -> Redacted:
    parts: list[str] = []
    position = count = 0
    for start, stop in key_blocks(text):
        parts += [text[position:start], _marks(text[start:stop])]
        position, count = stop, count + 1
    return Redacted("".join([*parts, text[position:]]), count)


def _masked(match: re.Match[str]) -> str:
    if not entropy.is_secret(match):
        return match[0]
    start, stop = (edge - match.start() for edge in match.span("value"))
    return match[0][:start] + MARK + match[0][stop:]


def _rules(language: str) -> list[tuple[re.Pattern[str], str]]:
    kept = rf"\g<1>{MARK}"
    named = [*secret_shapes.KNOWN, *secret_shapes.NAMED]
    bare = [secret_shapes.BARE] if language in secret_shapes.UNQUOTED_LANGUAGES else []
    return [(secret_shapes.TOKENS, MARK), *((pattern, kept) for pattern in [*named, *bare])]


def redact_counted(text: str, language: str) -> Redacted:
    """Return the text with secrets replaced line for line, and their number."""
    text, count = _without_keys(text)
    for pattern, replacement in _rules(language):
        text, found = pattern.subn(replacement, text)
        count += found
    before = text.count(MARK)
    text = entropy.QUOTED.sub(_masked, text)
    if language in secret_shapes.UNQUOTED_LANGUAGES:
        text = entropy.BARE.sub(_masked, text)
    return Redacted(text, count + text.count(MARK) - before)


def redact(text: str, language: str) -> str:
    """Return the text with secrets replaced, line for line."""
    return redact_counted(text, language).text
