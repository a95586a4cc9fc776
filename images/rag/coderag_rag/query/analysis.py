"""What a query asks for: its class, the identifiers and files in it and its words.

Decided by rules and not by a model: they cost microseconds, are the same tomorrow and can be read.
"""

import re
from dataclasses import dataclass
from functools import cached_property

from coderag_rag.query.lexicon import NO_LEXICON, Lexicon
from coderag_rag.query.mentions import Mention, mentions, whole_path
from coderag_rag.query.weights import QueryClass
from coderag_rag.terms import SMALL_WORDS, tokens

_IDENTIFIER = re.compile(r"[A-Za-z_$][\w$]*(?:(?:\.|::|#|->)[A-Za-z_$][\w$]*)*", re.ASCII)
_SEPARATOR = re.compile(r"::|#|->")
_LOOKS_LIKE_CODE = re.compile(r"_|\.|::|#|->|[a-z0-9][A-Z]")
_DECLARATION = re.compile(r"^(?:async\s+)?(?:def|class|func|fn|function|struct|interface|type|enum)\s+(?=\S+$)")
_TRACE = re.compile(
    r"Traceback \(most recent call last\)|^\s*File \"[^\"]+\", line \d+|^\s*at \S+ ?\([^)]*:\d+|^panic: |^goroutine \d+"
    r"|\b\w*(?:Error|Exception): |^error(?:\[\w+\])?: |\S+\.\w{1,5}:\d+:\d+",
    re.MULTILINE,
)
_CODE = re.compile(
    r"[{};]\s*$|=>|==|!=|&&|\|\||:=|\w\(.*\)\s*[:{;]|^\s*(?:def|class|func|fn|import|from|return)\s.*[(:.]", re.M
)
_TEST_WORDS = re.compile(r"\b(?:tests?|tested|testing|pytest|unittest|fixtures?|mocks?)\b|테스트", re.IGNORECASE)
_CHANGE_WORDS = re.compile(
    r"\b(?:change ?logs?|changes|changed|releas(?:e|es|ed)|versions?|since|history|what'?s new)\b"
    r"|변경|릴리[스즈]|버전|이력",
    re.IGNORECASE,
)
_HANGUL = re.compile(r"[\uac00-\ud7a3\u1100-\u11ff\u3130-\u318f]")


@dataclass(frozen=True)
class Query:
    """A query, read once and used by every step of the search."""

    text: str
    english: str  # the text with its Korean words in English, for what knows English only
    kind: QueryClass
    identifiers: tuple[str, ...]
    words: frozenset[str]
    wants_tests: bool
    wants_changes: bool
    files: tuple[Mention, ...] = ()

    @property
    def bilingual(self) -> str:
        """The words of the text, and those that its Korean words are in English."""
        return self.text if self.english == self.text else f"{self.text}\n{self.english}"

    @cached_property
    def last_names(self) -> frozenset[str]:
        """The last part of each identifier: `C` of `a.B.C`."""
        return frozenset(name.rpartition(".")[2] for name in self.identifiers)


def analyse(text: str, lexicon: Lexicon = NO_LEXICON) -> Query:
    """Read a query."""
    kind, english = classify(text), lexicon.english(text)
    files = tuple(mentions(text, kind))
    tests, changes = bool(_TEST_WORDS.search(text)), bool(_CHANGE_WORDS.search(text))
    words = frozenset(tokens(text)).union(() if english == text else tokens(english)) - SMALL_WORDS
    return Query(text, english, kind, _identifiers(text, kind), words, tests, changes, files)


def classify(text: str) -> QueryClass:
    """Return the class of a query, the first that fits: a path, a name, an error, code, Korean, or other words."""
    if whole_path(text):
        return QueryClass.PATH
    if _IDENTIFIER.fullmatch(_bare_name(text)):
        return QueryClass.SYMBOL
    if _TRACE.search(text):
        return QueryClass.ERROR_TRACE
    if _CODE.search(text):
        return QueryClass.CODE
    return QueryClass.KOREAN if _HANGUL.search(text) else QueryClass.PROSE


def _bare_name(text: str) -> str:
    return _DECLARATION.sub("", text.strip()).removesuffix("()")


def _identifiers(text: str, kind: QueryClass) -> tuple[str, ...]:
    """Return the names a query mentions, in order; in prose only those that can hardly be plain words."""
    if kind is QueryClass.SYMBOL:
        return (_normal(_bare_name(text)),)
    found = _IDENTIFIER.findall(text)
    return tuple(dict.fromkeys(_normal(name) for name in found if _LOOKS_LIKE_CODE.search(name)))


def _normal(name: str) -> str:
    return _SEPARATOR.sub(".", name)


def symbol_spellings(identifiers: tuple[str, ...]) -> list[str]:
    """Return the names to look up for identifiers: `a.B.c` may be stored as itself, `B.c`, or `c`."""
    spellings: dict[str, None] = {}
    for name in identifiers:
        parts = name.split(".")
        spellings |= dict.fromkeys(".".join(parts[start:]) for start in range(len(parts)))
    return list(spellings)
