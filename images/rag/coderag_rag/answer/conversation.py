"""Follow-up questions: what to search for when a question leans on what was said before, and what of it to repeat.

No model is asked to condense a conversation: that would cost a generation before the first word of the answer, on the
GPU that writes it. A question that can stand alone is searched as it is. One that leans on others is searched together
with the question it leans on and the names in the last answer.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from coderag_rag.answer.context import estimate_tokens
from coderag_rag.query.analysis import analyse

Pair = tuple[str, str]  # what the user asked, what was answered

_MOST_PAIRS = 4
_LONGEST_TURN = 1500  # characters of a turn that are repeated to the model
_LONGEST_LEAN = 600  # characters of an earlier question that join a search
_LONGEST_ANSWER = 20_000  # characters of an answer that are looked through for names
_MOST_NAMES = 4
_FEW_WORDS = 2  # a question with fewer words of its own leans on something

_LEANS = re.compile(
    r"\b(?:it|its|itself|they|them|their|this|that|these|those|there|above|previous|previously|earlier|instead|again|else"
    r"|the (?:same|others?|former|latter|first|second|last)(?: one)?)\b"
    r"|^\W*(?:and|but|so|then|also|or|what about|how about|why(?: not)?\W*$|really|more|go on|continue|elaborate)\b"
    r"|(?<![가-힣])(?:그|이|저)(?:것|거|건|게|걸|러면|럼|런데|리고|곳|기|쪽|때|들)"
    r"|(?<![가-힣])(?:그|이|저|위|앞|해당|방금|아까|거기|여기)(?:의|에|에서|서)? (?=[가-힣\w])"
    r"|(?<![가-힣])(?:근데|왜요|더 자세히)",
    re.IGNORECASE,
)
_CODE_NAME = re.compile(r"`([A-Za-z_$][\w$.:]*)(?:\(\))?`")
_MARKER = re.compile(r" *\[\d+(?:[,;] *\d+)*\]")
_SOURCES, _LISTED = "\nSources:\n", re.compile(r"(?:\[\d+\] [^\n]*\n?)+")


def leans(question: str) -> bool:
    """Whether a question needs what was said before it to be understood."""
    if _LEANS.search(question[:_LONGEST_TURN]):
        return True
    query = analyse(question[:_LONGEST_TURN])
    return not query.identifiers and not query.files and len(query.words) < _FEW_WORDS


def search_text(question: str, history: Sequence[Pair]) -> str:
    """Return what to search for: the question, and below it what it leans on, if it leans on anything."""
    if not history or not leans(question):
        return question
    found = [question]
    for asked, _ in reversed(history):
        found.append(asked[:_LONGEST_LEAN])
        if not leans(asked):
            break
    names = dict.fromkeys(_CODE_NAME.findall(history[-1][1][:_LONGEST_ANSWER]))
    return "\n".join([*found, " ".join(list(names)[:_MOST_NAMES])]).strip()


def pair_turns(turns: Iterable[tuple[str, str]]) -> list[Pair]:
    """Return turns of (role, text) as pairs of a question and its answer; turns of one role in a row are one.

    What has no answer, or no question, goes: chat templates of some models refuse roles that do not alternate.
    """
    merged: list[tuple[str, str]] = []
    for role, text in turns:
        if merged and merged[-1][0] == role:
            merged[-1] = (role, f"{merged[-1][1]}\n{text}")
        else:
            merged.append((role, text))
    return [(asked, plain(answered)) for (role, asked), (_, answered) in pairwise(merged) if role == "user"]


def plain(answer: str) -> str:
    """Return an earlier answer without its markers and its list: their numbers mean nothing among new sources."""
    before, found, listed = answer.rpartition(_SOURCES)
    return _MARKER.sub("", before if found and _LISTED.fullmatch(listed) else answer).strip()


def fitting(history: Sequence[Pair], budget: int) -> list[Pair]:
    """Return the latest pairs, shortened, that fit so many tokens together, oldest first."""
    kept: list[Pair] = []
    for asked, answered in reversed(history[-_MOST_PAIRS:]):
        pair = (_short(asked), _short(answered))
        budget -= sum(map(estimate_tokens, pair))
        if budget < 0:
            break
        kept.insert(0, pair)
    return kept


def within(text: str, budget: int) -> str:
    """Return the beginning of a text that takes so many tokens at most."""
    while text and estimate_tokens(text) > budget:
        text = text[: len(text) * 3 // 4]
    return text


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_TURN else text[:_LONGEST_TURN].rstrip() + " …"
