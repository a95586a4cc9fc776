"""From spans and definitions to chunks: the step that all splitters share."""

from bisect import bisect_left
from collections.abc import Callable, Iterator

from coderag_rag.chunking.lines import Lines
from coderag_rag.chunking.model import Chunk, Definition, Span


def _enclosing(definitions: list[Definition], spans: list[Span]) -> Iterator[Definition | None]:
    """For each span the innermost definition that begins before it and reaches into it. Spans and names ascend."""
    around: list[Definition] = []
    waiting = iter(sorted(definitions, key=lambda d: (d.first_row, -d.last_row)))
    following = next(waiting, None)
    for span in spans:
        while following is not None and following.first_row < span.start:
            around = [d for d in around if d.last_row >= following.first_row] + [following]
            following = next(waiting, None)
        around = [d for d in around if d.last_row >= span.start]
        yield next((d for d in reversed(around) if d.name_row < span.start), None)


def make_chunks(
    lines: Lines, spans: list[Span], definitions: list[Definition], lead: Callable[[Span], str] = lambda span: ""
) -> list[Chunk]:
    """Return the chunks of spans that tile the lines."""
    ordered = sorted(definitions, key=lambda d: d.name_row)
    rows = [definition.name_row for definition in ordered]
    return [
        Chunk(
            span.start + 1,
            span.stop,
            lines.text(span),
            tuple(ordered[bisect_left(rows, span.start) : bisect_left(rows, span.stop)]),
            around,
            lead(span),
        )
        for span, around in zip(spans, _enclosing(ordered, spans), strict=True)
    ]
