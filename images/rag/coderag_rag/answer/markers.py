"""Markers `[n]` in an answer: valid ones stay and are noted, invented ones are taken out while the text streams.

Text is held back only while it could still become a marker, so a reader never sees an invented one, and the result
does not depend on how the model's text was cut into pieces. `[0]` inside a code span or fence is code, not a marker.
Outside of code, links and what a page would load become plain text: a marker leads to its source, and nothing away.
"""

import re
from collections.abc import Collection

from coderag_rag.answer.labels import CLOSING, LONGEST, is_label, is_plain, read_label

_BRACKETS = re.compile(r"( *)([\[【［]*)([^\[\]【】［］`\n]*)")
_LABEL_BEGINS = re.compile(r"\s*[\^#@]?\s*(?:[^\W\d]{0,12}\.?\s*[:#]?\s*#?(?:\d.*)?)?")
_DIGITS = re.compile(r"[0-9 ,;]*")
_OPEN_FRAGMENT = re.compile(r"(?:[\[【［][^\[\]【】［］`\n]{0,100}|</?[a-zA-Z]{0,7})\Z")
_PLAIN = re.compile(r"[^ \[\]【［`<\n]+")
_TAG_BEGINS = re.compile(r"</?[a-zA-Z]{0,7}")
_LOADS = re.compile(
    r"</?(?:img|image|script|iframe|object|embed|svg|video|audio|style|link|meta|base|form|input)\b", re.IGNORECASE
)
_FENCE = re.compile(r" *(`{3,}|~{3,})([^\n]*)\n")
_FENCE_BEGINS = re.compile(r" *(?:`{0,2}|~{0,2}|`{3,}[^`\n]*|~{3,}[^\n]*)")
_TICKS = re.compile(r"`+")


class MarkerFilter:
    """Feed it an answer in pieces; it returns what may be shown. Call `finish` once at the end."""

    def __init__(self, valid: Collection[int]) -> None:
        self._valid = frozenset(valid)
        self._pending = ""
        self._fresh = True  # at the start of a line
        self._fragment = ""  # what was shown last, if it could be the beginning of a marker
        self._fence = ""
        self._ended = False
        self._breaks = ""  # characters that would make a link of what was shown last
        self._blank = True  # nothing was shown of the line
        self._leads = False  # its first bracket is open
        self.cited: list[int] = []
        self.dropped = 0

    def feed(self, piece: str) -> str:
        """Take the next piece of the answer and return the text that is safe to show."""
        self._pending += piece
        return self._drain()

    def finish(self) -> str:
        """Return what was held back: nothing can complete it any more."""
        self._ended = True
        return self._drain()

    def note(self, cited: Collection[int], dropped: int = 0) -> None:
        """Record what the answer cites elsewhere."""
        self.cited += [number for number in dict.fromkeys(cited) if number not in self.cited]
        self.dropped += dropped

    def _drain(self) -> str:
        shown = []
        while self._pending and (taken := self._take()) is not None:
            length, text = taken
            text = self._apart(text)
            self._fresh = self._pending[length - 1] == "\n"
            self._pending = self._pending[length:]
            fragment = _OPEN_FRAGMENT.search(self._fragment + text)
            self._fragment = fragment[0] if fragment else ""
            shown.append(text)
        return "".join(shown)

    def _apart(self, text: str) -> str:
        """Keep brackets from becoming a link, the definition of one, or an image: all three lead out of the answer."""
        if not text:
            return text
        closes = text.endswith("]")
        marker = closes and text.lstrip(" ").startswith("[")
        apart = " " + text if text[0] in self._breaks and not (marker and self._breaks != "[") else text
        self._leads = self._leads or (self._blank and text.lstrip(" ").startswith("["))
        self._breaks = ("([:" if self._leads else "([") if closes else "[" if text.endswith("!") else ""
        self._leads = self._leads and not closes and "\n" not in text
        self._blank = text.endswith("\n") or (self._blank and not text.strip())
        return apart

    def _take(self) -> tuple[int, str] | None:
        """Return how many characters are decided and what to show for them; None while more text is needed."""
        if self._fence:
            return self._take_fenced_line()
        if self._fresh:
            fence = self._take_fence_start()
            if fence is None or fence[0]:
                return fence
        return self._take_prose()

    def _take_fenced_line(self) -> tuple[int, str] | None:
        end = self._pending.find("\n") + 1
        if not end and not self._ended:
            return None
        line = self._pending[: end or None]
        if line.strip().startswith(self._fence) and not line.strip().strip(self._fence[0]):
            self._fence = ""
        return len(line), line

    def _take_fence_start(self) -> tuple[int, str] | None:
        """Like `_take`, with length 0 for a line that opens no fence."""
        found = _FENCE.match(self._pending)
        if found and not (found[1][0] == "`" and "`" in found[2]):
            self._fence = found[1]
            return found.end(), found[0]
        undecided = not self._ended and _FENCE_BEGINS.fullmatch(self._pending)
        return None if undecided else (0, "")

    def _take_prose(self) -> tuple[int, str] | None:
        plain = _PLAIN.match(self._pending)
        if plain:
            return plain.end(), plain[0]
        if self._pending[0] == "`":
            return self._take_code_span()
        if self._pending[0] == "<":
            return self._take_tag()
        return self._take_marker()

    def _take_tag(self) -> tuple[int, str] | None:
        if not self._ended and _TAG_BEGINS.fullmatch(self._pending):
            return None
        return 1, "&lt;" if _LOADS.match(self._pending) else "<"

    def _take_code_span(self) -> tuple[int, str] | None:
        line, newline, _ = self._pending.partition("\n")
        complete = bool(newline) or self._ended
        runs = list(_TICKS.finditer(line if complete else line.rstrip("`")))
        opening = _TICKS.match(line)
        for run in runs[1:]:
            if opening and len(run[0]) == len(opening[0]):
                return run.end(), line[: run.end()]
        return (len(opening[0]), opening[0]) if complete and opening else None

    def _take_marker(self) -> tuple[int, str] | None:
        found = _BRACKETS.match(self._pending)
        spaces, opened, inner = found.groups() if found else ("", "", "")
        rest = self._pending[len(spaces + opened + inner) :]
        closed = rest[: len(rest) - len(rest.lstrip(CLOSING))][: len(opened)]
        if not opened:
            return (1, self._pending[0]) if self._ended or inner or rest else None
        if not self._ended and _undecided(opened, inner, closed, rest):
            return None
        if closed and is_label(inner):
            # Where more brackets open than close, those outside are text.
            before = spaces + opened[: len(opened) - len(closed)]
            return len(spaces + opened + inner + closed), self._judge(before, inner, closed)
        return len(spaces) + 1, spaces + opened[0]

    def _judge(self, before: str, inner: str, closed: str) -> str:
        numbers, invented = read_label(inner, self._valid)
        self.note(numbers, invented)
        if not invented and is_plain(inner) and closed == "]":
            return f"{before}[{inner}]"
        if numbers:
            return before + "".join(f"[{number}]" for number in numbers)
        # Taking a marker out of `[1[9]2]` must not join the rest into a new one.
        return before.rstrip(" ") + ("[]" if self._fragment or before.strip() else "")


def _undecided(opened: str, inner: str, closed: str, rest: str) -> bool:
    """Whether more text could make a marker, or a longer one, of brackets and what follows them."""
    if not rest:
        may_be = len(inner) <= LONGEST and _LABEL_BEGINS.fullmatch(inner)
        return bool(may_be or _DIGITS.fullmatch(inner))
    return closed == rest and len(closed) < len(opened) and is_label(inner)
