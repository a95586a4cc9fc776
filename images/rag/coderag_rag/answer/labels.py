"""The forms in which models write a citation, and the numbers in them. Pure.

Asked for `[1]`, models also write `[1, 2]`, `[1-3]`, `[Source 2]`, `[^1]`, `[[1]]` or `【1†source】`.
"""

import re
from collections.abc import Mapping

OPENING, CLOSING = "[【［", "]】］"
LONGEST = 80  # characters between the brackets; a longer text is no citation

_DASH = r"(?:-|–|—|~|to|through|부터)"
_AND = r"(?:,|;|&|/|and|및|와|과|、)"
_NUMBER = r"\d+"
_WORD = (
    r"(?:sources?|src|refs?|references?|citations?|cite[sd]?|cf\.?|see|docs?|documents?|snippets?|blocks?|no\.?|출처|소스"
    r"|참고|참조|근거|인용|문서)"
)
_RANGE = re.compile(rf"({_NUMBER}) *{_DASH} *({_NUMBER})", re.IGNORECASE)
_DIGITS = re.compile(_NUMBER)
_LABEL = re.compile(
    rf"\s*(?:\^|#|@)?\s*(?:{_WORD}\s*[:#.]?\s*)?#?{_NUMBER}"
    rf"(?:\s*(?:{_DASH}|{_AND}(?:\s*(?:and|{_WORD}))?)\s*#?{_NUMBER})*\s*[,;]?\s*(?:†[^\[\]]*)?",
    re.IGNORECASE,
)
_PLAIN = re.compile(r" *[0-9]+(?: *[,;] *[0-9]+)* *")


def is_label(inner: str) -> bool:
    """Whether the text between two brackets cites something. A range from 0, like `[0-9]`, is a class of characters."""
    if len(inner) > LONGEST and not _PLAIN.fullmatch(inner):
        return False
    found = _RANGE.search(inner)
    return bool(_LABEL.fullmatch(inner)) and not (found and not found[1].strip("0"))


def is_plain(inner: str) -> bool:
    """Whether it is the form that was asked for, numbers and separators only."""
    return bool(_PLAIN.fullmatch(inner))


def read_label(inner: str, valid: Mapping[int, object] | set[int]) -> tuple[list[int], int]:
    """Return the valid numbers of a label in their order, and how many of its numbers or ranges go beyond them."""
    numbers: list[int] = []
    invented = 0
    rest = inner
    for found in _RANGE.finditer(inner):
        low, high = sorted((_value(found[1]), _value(found[2])))
        within = [number for number in sorted(valid) if low <= number <= high]
        numbers += within
        invented += high - low + 1 > len(within)
        rest = rest.replace(found[0], " ", 1)
    for text in _DIGITS.findall(rest.partition("†")[0]):
        known = _value(text) in valid
        numbers += [_value(text)] if known else []
        invented += not known
    return list(dict.fromkeys(numbers)), invented


def _value(text: str) -> int:
    """Return a number written in any digits; one of absurd length is as good as any other that nobody offered."""
    return int(text) if len(text) <= 9 else -1
