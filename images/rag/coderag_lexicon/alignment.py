"""Which word of one language stands for which of the other: IBM's model 1.

Brown, Della Pietra, Della Pietra and Mercer, "The Mathematics of Statistical Machine Translation", Computational
Linguistics 19 (2), 1993, section 4: expectation maximisation of t(target | source), where each word of the target comes
from one of the source, or from none.
"""

from collections import defaultdict
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import TypeVar

Source = TypeVar("Source", bound=Hashable)
Target = TypeVar("Target", bound=Hashable)

# Added to how often a source word was seen, as if it had stood once for something else: what is rare is not sure.
_ONCE_MORE = 1.0


def translations(
    pairs: Sequence[tuple[Collection[Source], Collection[Target]]], rounds: int
) -> Mapping[Source, Mapping[Target, float]]:
    """Return t(target | source) after some rounds, from pairs of the words of a source and of its target."""
    table: Mapping[Source | None, Mapping[Target, float]] = {}
    for _ in range(rounds):
        table = _next(pairs, table)
    return {source: row for source, row in table.items() if source is not None}


def _next(
    pairs: Sequence[tuple[Collection[Source], Collection[Target]]],
    table: Mapping[Source | None, Mapping[Target, float]],
) -> Mapping[Source | None, Mapping[Target, float]]:
    """Return the table after one round; an empty one takes each translation for as likely as any other."""
    counts: dict[Source | None, dict[Target, float]] = defaultdict(lambda: defaultdict(float))
    for source, target in pairs:
        rows = [(counts[word], table.get(word)) for word in (*source, None)]
        for word in target:
            shares = [row[word] if row else 1.0 for _, row in rows]
            scale = sum(shares)
            for (count, _), share in zip(rows, shares, strict=True):
                count[word] += share / scale
    return {source: _normal(row) for source, row in counts.items()}


def _normal(row: Mapping[Target, float]) -> Mapping[Target, float]:
    seen = sum(row.values()) + _ONCE_MORE
    return {word: count / seen for word, count in row.items()}
