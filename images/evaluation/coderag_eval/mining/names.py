"""Whether a query gives its answer away: it must not hold the name, or a word of the name, that it should lead to."""

import re
from functools import lru_cache

import Stemmer

_PART = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_WORD = re.compile(r"[A-Za-z]+|[0-9]+")
_SMALL = frozenset(
    ["a", "an", "and", "as", "at", "by", "for", "from", "in", "is", "of", "on", "or", "the", "to", "with"]
)
_stemmer = Stemmer.Stemmer("english")


@lru_cache(maxsize=65_536)
def _stem(word: str) -> str:
    return _stemmer.stemWord(word)


def name_words(name: str) -> frozenset[str]:
    """Return the stems of an identifier's words: `parse_HTTPHeaders` gives pars, http, header."""
    words = (part.lower() for part in _PART.findall(name))
    return frozenset(_stem(word) for word in words if word not in _SMALL and (len(word) > 1 or word.isdigit()))


def query_words(query: str) -> frozenset[str]:
    """Return the stems of the words of a query, of identifiers in it the words and the whole."""
    words = [word.lower() for word in _WORD.findall(query)]
    return frozenset(_stem(word) for word in words) | name_words(query)


def holds_name(query: str, name: str) -> bool:
    """Whether the query holds the whole name, in any case, or its words one after the other."""
    flat = " ".join(_PART.findall(name)).lower()
    text = " ".join(_PART.findall(query)).lower()
    return bool(flat) and (f" {flat} " in f" {text} " or name.lower() in query.lower())


def holds_word_of_name(query: str, name: str) -> bool:
    """Whether the query holds any word of the name, whatever its ending."""
    return holds_name(query, name) or bool(name_words(name) & query_words(query))
