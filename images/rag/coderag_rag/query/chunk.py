"""A stored chunk as the search sees it."""

import re
from collections.abc import Mapping
from functools import lru_cache
from sys import getsizeof, intern
from typing import Any, NamedTuple, Self

from coderag_rag.terms import tokens

# Where the strings end: the tuples, the id and its place in a map, the hash and two numbers; then for each symbol.
_BESIDE_ITS_STRINGS, _OF_A_SYMBOL = 500, 100


class Chunk(NamedTuple):
    """What a chunk says of itself. Nothing of it ever changes: its point id is made of the content and its lines.

    `within`: the definition that began above and goes on here, "" where none does. `text_sha256` is "" where the text
    was not read. `words`: those of each symbol, each once.

    A tuple and not a dataclass: a search may make more than a hundred, and that is several times as fast.
    """

    blob: str
    start_line: int
    end_line: int
    symbols: tuple[str, ...]
    language: str
    within: str = ""
    text: str = ""
    text_sha256: str = ""
    words: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> Self:
        """Return the chunk that a payload describes; an index of an older version knows no `within`."""
        symbols = tuple(payload["symbols"])
        return cls(
            intern(payload["blob"]),  # many chunks share it
            payload["start_line"],
            payload["end_line"],
            symbols,
            intern(payload["language"]),
            payload.get("within", ""),
            payload.get("text", ""),
            payload.get("text_sha256", ""),
            tuple(map(_words, symbols)),
        )

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes."""
        strings = sum(map(getsizeof, (self.text, self.within, *self.symbols)))
        return _BESIDE_ITS_STRINGS + _OF_A_SYMBOL * len(self.symbols) + strings


@lru_cache(maxsize=65_536)
def _words(symbol: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for word in tokens(re.sub("[._]", " ", symbol)) if word.isalnum()))


class Found(NamedTuple):
    """A chunk that a leg found; `score` is how near it is, higher is nearer, and 0 where nothing was compared."""

    id: str
    chunk: Chunk
    score: float = 0.0
