"""From hits to judged documents: which right place each hit is, each place and each file counted once."""

from collections.abc import Sequence
from dataclasses import dataclass

from coderag_eval.questions import Expected, Question


@dataclass(frozen=True)
class Hit:
    """What a search returned, as far as it is judged. Lines are 1-based and inclusive."""

    repository: str
    path: str
    start_line: int
    end_line: int
    symbols: tuple[str, ...] = ()


def right(question: Question) -> list[str]:
    """Return the documents that a question expects."""
    return [f"right:{number}" for number in range(len(question.expected))]


def documents(question: Question, hits: Sequence[Hit]) -> list[str]:
    """Return the judged documents of a ranking, distinct, best first.

    Where only files are expected a file counts once, however many of its chunks were found.
    """
    by_file = all(one.symbol is None and one.start_line is None for one in question.expected)
    named = (_document(question, hit, by_file) for hit in hits)
    return list(dict.fromkeys(named))


def matches(expected: Expected, hit: Hit) -> bool:
    """Whether a hit is the right place."""
    if hit.path != expected.path or expected.repository not in (None, hit.repository):
        return False
    if expected.symbol is not None and any(_same(expected.symbol, symbol) for symbol in hit.symbols):
        return True
    if expected.start_line is not None and expected.end_line is not None:
        return hit.start_line <= expected.end_line and expected.start_line <= hit.end_line
    return expected.symbol is None


def _same(wanted: str, symbol: str) -> bool:
    return symbol == wanted or symbol.endswith("." + wanted)


def _document(question: Question, hit: Hit, by_file: bool) -> str:
    for number, expected in enumerate(question.expected):
        if matches(expected, hit):
            return f"right:{number}"
    return f"{hit.repository}:{hit.path}" + ("" if by_file else f":{hit.start_line}")
