"""Markers `[n]` in an answer: valid ones stay and are noted, invented ones are taken out while the text streams.

Text is held back only while it could still become a marker, so a reader never sees an invented one, and the result
does not depend on how the model's text was cut into pieces. `[0]` inside a code span or fence is code, not a marker.
"""

import re
from collections.abc import Collection

_MARKER = re.compile(r" *\[ *([0-9]+(?: *[,;] *[0-9]+)*) *\]")
_MARKER_BEGINS = re.compile(r" *(?:\[[0-9 ,;]*)?")
_OPEN_FRAGMENT = re.compile(r"\[[0-9 ,;]*$")
_PLAIN = re.compile(r"[^ \[`\n]+")
_FENCE = re.compile(r" *(`{3,}|~{3,})([^\n]*)\n")
_FENCE_BEGINS = re.compile(r" *(?:`{0,2}|~{0,2}|`{3,}[^`\n]*|~{3,}[^\n]*)")
_TICKS = re.compile(r"`+")


class MarkerFilter:
    """Feed it an answer in pieces; it returns what may be shown. Call `finish` once at the end."""

    def __init__(self, valid: Collection[int]) -> None:
        self._valid = {str(number): number for number in valid}
        self._pending = ""
        self._fresh = True  # at the start of a line
        self._fragment = ""  # what was shown last, if it could be the beginning of a marker
        self._fence = ""
        self._ended = False
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

    def _drain(self) -> str:
        shown = []
        while self._pending and (taken := self._take()) is not None:
            length, text = taken
            self._fresh = self._pending[length - 1] == "\n"
            self._pending = self._pending[length:]
            fragment = _OPEN_FRAGMENT.search(self._fragment + text)
            self._fragment = fragment[0] if fragment else ""
            shown.append(text)
        return "".join(shown)

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
        return self._take_marker()

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
        found = _MARKER.match(self._pending)
        if found:
            return found.end(), self._judge(found)
        if not self._ended and _MARKER_BEGINS.fullmatch(self._pending):
            return None
        return 1, self._pending[0]

    def _judge(self, found: re.Match[str]) -> str:
        numbers = [number.lstrip("0") for number in re.split(r" *[,;] *", found[1])]
        valid = [self._valid[number] for number in numbers if number in self._valid]
        self.cited += [number for number in dict.fromkeys(valid) if number not in self.cited]
        self.dropped += len(numbers) - len(valid)
        if len(valid) == len(numbers):
            return found[0]
        if valid:
            return found[0][: found[0].index("[")] + "".join(f"[{number}]" for number in valid)
        # Taking a marker out of `[1[9]2]` must not join the rest into a new one.
        return "[]" if self._fragment else ""
