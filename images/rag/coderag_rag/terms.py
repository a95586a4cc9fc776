"""Search tokens of code and text, and their weights: the words of the keyword leg.

One function turns text into tokens for chunks and for queries alike. Identifiers are split at camelCase and snake_case
and kept whole as well, so both `retry policy` and `retryPolicy` find `retryPolicy`. Hangul and Chinese characters have
no spaces to rely on inside a word, so they become bigrams; composed and decomposed forms are one. Term frequency is
saturated here; inverse document frequency is Qdrant's part.
It stands apart from `keyword` so that the chunking process need not load the Qdrant client.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from threading import Lock
from typing import NamedTuple

import mmh3
import Stemmer

_DENSE = r"\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"  # kana, Chinese characters, Hangul
_WORD = re.compile(rf"[{_DENSE}]+|[^\W{_DENSE}]+")
_PART = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_BIGRAMS = re.compile(rf"[{_DENSE}]")
# BM25's saturation and length normalisation. The chunk budget fixes the usual length, so it is a constant here.
_K1, _B, _USUAL_LENGTH = 1.2, 0.75, 120.0
_LONGEST_TOKEN = 64
_SYMBOL_WEIGHT = 2

_stemmer = Stemmer.Stemmer("english")
_stemmer_lock = Lock()  # the stemmer keeps the word it works on in itself


def _stem(word: str) -> str:
    with _stemmer_lock:
        return _stemmer.stemWord(word)


def split_identifier(name: str) -> list[str]:
    """Return the words of an identifier in lower case: `HTTPServer_v2` gives http, server, v, 2."""
    return [part.lower() for part in _PART.findall(name)]


@lru_cache(maxsize=65_536)
def _word_tokens(word: str) -> tuple[str, ...]:
    return tuple(token for token in _parts(word) if 0 < len(token) <= _LONGEST_TOKEN)


def _parts(word: str) -> list[str]:
    if _BIGRAMS.match(word):
        return [word[i : i + 2] for i in range(len(word) - 1)] or [word]
    if not word.isascii():
        return [word.strip("_").lower()]
    parts = split_identifier(word)
    whole = word.strip("_").lower()
    stems = [_stem(part) for part in parts if len(part) > 1 or part.isdigit()]
    return stems if len(parts) <= 1 else [whole, *stems]


def _words(text: str) -> Iterator[tuple[str, ...]]:
    """Return the tokens of each word: of an identifier there are several."""
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return map(_word_tokens, _WORD.findall(plain))


def tokens(text: str) -> list[str]:
    """Return the search tokens of a text, in order and with repetitions."""
    return [token for word in _words(text) for token in word]


class Weights(NamedTuple):
    """Token ids in ascending order, and the weight of each."""

    indices: list[int]
    values: list[float]


def _weights(by_token: dict[str, float]) -> Weights:
    by_id: dict[int, float] = {}
    for token, weight in by_token.items():
        index = mmh3.hash(token, signed=False)
        by_id[index] = max(weight, by_id.get(index, 0.0))
    ordered = sorted(by_id)
    return Weights(ordered, [by_id[index] for index in ordered])


def document_weights(text: str, symbols: Iterable[str] = (), paths: Iterable[str] = (), within: str = "") -> Weights:
    """Weigh a chunk: its text, its symbols and the definition it lies within twice, the words of its paths once."""
    counts = Counter(tokens(text))
    for symbol in dict.fromkeys(tokens(" ".join([*symbols, within]))):
        counts[symbol] += _SYMBOL_WEIGHT
    counts.update(set(tokens(" ".join(paths))))
    scale = _K1 * (1 - _B + _B * counts.total() / _USUAL_LENGTH)
    return _weights({token: count * (_K1 + 1) / (count + scale) for token, count in counts.items()})


SMALL_WORDS = frozenset(
    tokens(
        "a an and are as at be by can code do does file find for from function get has have how i if in into is it its"
        " me method of on or our show so that the then there these they this to us was we what when where which who why"
        " will with you your class"
    )
)


def query_weights(text: str) -> Weights:
    """Weigh a query: each token once, without small words that stand alone unless there are no others.

    Code holds few of them, so that their inverse document frequency takes `the` for a telling word. As a part of an
    identifier they stay.
    """
    words = list(_words(text))
    telling = [word for word in words if len(word) > 1 or not SMALL_WORDS.issuperset(word)]
    return _weights({token: 1.0 for word in telling or words for token in word})
