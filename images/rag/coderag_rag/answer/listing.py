"""Lists of sources that a model writes itself: taken out, because what such a list says of a number is made up.

The list that ends a chat answer is written from verified citations. One in a model's own words, even with valid
numbers, would look the same and could name any file. The numbers in it still count as cited.
"""

import re
from collections.abc import Collection

from coderag_rag.answer.labels import is_label, read_label

_WORDS = (
    "sources", "source", "references", "reference", "citations", "citation", "footnotes", "출처", "참고", "인용", "근거"
)  # fmt: skip
_TITLES = frozenset(
    word + more for word in _WORDS for more in ("", " list", " cited", " used", " 자료", " 문헌", " 목록")
)
_MARKUP = " #*_>-–—="
_BULLET = r" *(?:[-*+•] +|\d+[.)] +)?(?:\*\*)?"
_BEGINS_ITEM = re.compile(r" *(?:[-*+•] *|\d+[.)]? *)?\*{0,2}(?:[\[【［].*)?")
_LABELS = r"[\[【［]+([^\[\]【】［］`\n]*)[\]】］]+"
_ITEM = re.compile(rf"{_BULLET}{_LABELS}(?!\()(.*)")
_LABEL_FIRST = re.compile(rf"{_LABELS}(.*)")
_LOCATION = re.compile(r"[^\s:]+\.\w+(?::| ?#L| lines? )\d+|\S+:\d+-\d+|@[0-9a-f]{7}", re.I)
_ANY_LABEL = re.compile(_LABELS)
_SPAN = re.compile(r"`[^`]*`")
_FENCE = re.compile(r" *(`{3,}|~{3,})")
_LONGEST = 400  # characters of a line that are held back


class ListingFilter:
    """Feed it an answer in pieces; it returns the answer without lists. `cited` and `dropped` are what these held."""

    def __init__(self, valid: Collection[int]) -> None:
        self._valid = frozenset(valid)
        self._line = ""  # the line so far
        self._passed = False  # the beginning of the line was given on
        self._held = ""  # a heading, and blank lines after it, that may belong to a list
        self._listing = False
        self._fence = ""
        self.cited: list[int] = []
        self.dropped = 0

    def feed(self, piece: str) -> str:
        """Take the next piece of the answer and return what is no part of a list."""
        *whole, rest = piece.split("\n")
        shown = [self._take(part + "\n") for part in whole]
        return "".join([*shown, self._take(rest)])

    def finish(self) -> str:
        """Return what was held back: nothing more is coming."""
        return ("" if self._passed else self._judge(self._line)) + self._give_held()

    def _take(self, text: str) -> str:
        """Take text that holds a line feed at its end only, or none."""
        self._line += text
        ended = text.endswith("\n")
        if not (self._passed or ended or self._decided()):
            return ""
        shown = text if self._passed else self._judge(self._line)
        self._passed = not ended
        if ended:
            self._follow_fence(self._line)
            self._line = ""
        return shown

    def _decided(self) -> bool:
        """Whether the line so far cannot become a part of a list any more."""
        if self._fence or len(self._line) > _LONGEST:
            return True
        begun = self._line.strip(_MARKUP).lower()
        heading = any(word.startswith(begun) or begun.startswith(word) for word in _WORDS)
        return not (heading or _BEGINS_ITEM.fullmatch(self._line))

    def _judge(self, line: str) -> str:
        """Return what to show for a line, and for what was held before it."""
        text = line.rstrip("\n")
        if self._fence or len(text) > _LONGEST:
            return self._give_held() + line
        if not text.strip():
            self._listing = False
            return self._hold(line) if self._held else line
        if self._is_item(text) or _is_one_line(text):
            self._note(text)
            self._held, self._listing = "", True
            return ""
        self._listing = False
        held = self._give_held()
        return held + (self._hold(line) if _is_title(text) else line)

    def _is_item(self, text: str) -> bool:
        found = _ITEM.fullmatch(text)
        if not found or not is_label(found[1]):
            return False
        return bool(self._held.strip() or self._listing or _LOCATION.search(found[2]))

    def _hold(self, line: str) -> str:
        self._held += line
        return ""

    def _give_held(self) -> str:
        held, self._held = self._held, ""
        return held

    def _note(self, text: str) -> None:
        for inner in _ANY_LABEL.findall(_SPAN.sub("", text)):
            if is_label(inner):
                numbers, invented = read_label(inner, self._valid)
                self.cited += numbers
                self.dropped += invented

    def _follow_fence(self, line: str) -> None:
        found = _FENCE.match(line)
        if self._fence:
            closing = line.strip()
            self._fence = "" if closing.startswith(self._fence) and not closing.strip(self._fence[0]) else self._fence
        elif found and not (found[1][0] == "`" and "`" in line[found.end() :]):
            self._fence = found[1]


def _is_title(text: str) -> bool:
    return text.strip(_MARKUP).rstrip(_MARKUP + ":：").lower() in _TITLES


def _is_one_line(text: str) -> bool:
    title, colon, rest = text.replace("：", ":").partition(":")
    found = _LABEL_FIRST.fullmatch(rest.lstrip(_MARKUP))
    return bool(colon and found and _is_title(title) and is_label(found[1]) and _LOCATION.search(found[2]))
