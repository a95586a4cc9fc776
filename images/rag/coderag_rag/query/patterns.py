"""What an exact search looks for: a text or a regular expression, matched line by line.

Expressions run on RE2: its time grows with the length of the text and never explodes, its memory is bounded, and it
refuses what it cannot run that way (back-references, look-around). So none needs a time limit of its own, which could
not be kept anyway: Python's own engine cannot be stopped while it matches.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import re2

LONGEST_PATTERN = 500
_MEMORY = 8 << 20  # bytes, of one compiled expression with its caches
_ESCAPE = re.compile(r"\\[A-Za-z]|\\(.)")
# Words with a blank or a sign on both sides: whole words for every tokenizer, and parts of the text for none at all.
_SIGN = r"[\x20-\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7e]"
_WHOLE_WORD = re.compile(rf"(?<={_SIGN})[A-Za-z0-9]{{2,40}}(?={_SIGN})")


class InvalidPattern(Exception):  # noqa: N818 - reads as the state it names
    """A pattern that cannot be searched for, and what to do about it."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"pattern: {problem}")
        self.remedy = remedy


@dataclass(frozen=True)
class Pattern:
    """A compiled pattern. `words` are known to stand in every match as whole words; `hint` ranks likely chunks."""

    compiled: Any
    words: tuple[str, ...]
    hint: str

    def columns(self, line: str) -> int | None:
        """Return where a line matches first, counted from 1; None where it does not."""
        found = self.compiled.search(line)
        return None if found is None else found.start() + 1

    def lines(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Yield each matching line: how many lines are before it, the column, and the line without its end."""
        for before, line in enumerate(text.split("\n")):
            line = line.removesuffix("\r")
            column = self.columns(line) if line else None
            if column is not None:
                yield before, column, line


def compile_pattern(text: str, *, regex: bool, case_sensitive: bool) -> Pattern:
    """Return the pattern; raises InvalidPattern."""
    if len(text) > LONGEST_PATTERN:
        raise InvalidPattern(f"is longer than {LONGEST_PATTERN} characters", "search for a shorter part")
    if "\n" in text or "\r" in text:
        raise InvalidPattern("spans lines", "search for the most telling line")
    if not text.strip():
        raise InvalidPattern("is blank", "give some text that is not white space")
    compiled = _compile(text if regex else re2.escape(text), case_sensitive)
    if compiled.search("") is not None:
        raise InvalidPattern("matches an empty line", "write an expression that needs at least one character")
    words = tuple(dict.fromkeys(_WHOLE_WORD.findall(text))) if case_sensitive and not regex else ()
    return Pattern(compiled, words, _ESCAPE.sub(r" \1", text) if regex else text)


def _compile(expression: str, case_sensitive: bool) -> Any:
    options = re2.Options()
    options.max_mem, options.log_errors, options.case_sensitive = _MEMORY, False, case_sensitive
    try:
        return re2.compile(expression, options=options)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
        remedy = "use RE2's syntax: no back-references, no look-around; or set regex to false"
        raise InvalidPattern(f"is not a regular expression that can be searched for: {reason}", remedy) from None
