"""Lines and sizes: what every splitter works on.

Lines end at a line feed only, as Git and editors count them; `str.splitlines` would also break at form feeds and
Unicode separators and shift every citation after them.
"""

from itertools import accumulate, pairwise

from coderag_rag.chunking.model import Span

# Characters that are not white space. About the 256 tokens that small embedding models read of code.
BUDGET = 600
# Ordinary code is indented to twice its size at most; a chunk of blank lines must end somewhere too.
_WHITE_SPACE_FACTOR = 8


class Lines:
    """The lines of a text with their ends, and the size of any range in constant time."""

    def __init__(self, text: str) -> None:
        parts = text.split("\n")
        ended = [part + "\n" for part in parts[:-1]]
        self.lines = ended + ([parts[-1]] if parts[-1] else [])
        self._sums = [0, *accumulate(len("".join(line.split())) for line in self.lines)]
        self._raw_sums = [0, *accumulate(map(len, self.lines))]

    def __len__(self) -> int:
        return len(self.lines)

    def text(self, span: Span) -> str:
        """Return the text of the rows, verbatim."""
        return "".join(self.lines[span.start : span.stop])

    def size(self, span: Span) -> int:
        """Return how many characters of the rows are not white space."""
        return self._sums[span.stop] - self._sums[span.start]

    def fits(self, span: Span, budget: int) -> bool:
        """Whether the rows make one chunk: by what is on them, and not too much white space."""
        raw = self._raw_sums[span.stop] - self._raw_sums[span.start]
        return self.size(span) <= budget and raw <= budget * _WHITE_SPACE_FACTOR

    def blank(self, row: int) -> bool:
        """Whether a row holds white space only."""
        return self._sums[row + 1] == self._sums[row]


def merge(lines: Lines, spans: list[Span], budget: int = BUDGET) -> list[Span]:
    """Join neighbours from left to right as long as they fit the budget together."""
    merged: list[Span] = []
    for span in spans:
        joined = Span(merged[-1].start, span.stop) if merged else span
        if merged and lines.fits(joined, budget):
            merged[-1] = joined
        else:
            merged.append(span)
    return merged


def cut_at(span: Span, rows: list[int]) -> list[Span]:
    """Cut a span in front of each of the rows, which are ascending."""
    edges = [span.start, *(row for row in rows if span.start < row < span.stop), span.stop]
    return [Span(start, stop) for start, stop in pairwise(edges) if start < stop]


def split_paragraphs(lines: Lines, span: Span, budget: int = BUDGET) -> list[Span]:
    """Split rows at blank lines, then between any two lines where a paragraph alone is too long."""
    starts = [row for row in range(span.start + 1, span.stop) if lines.blank(row - 1) and not lines.blank(row)]
    pieces: list[Span] = []
    for paragraph in cut_at(span, starts):
        rows = [] if lines.fits(paragraph, budget) else list(range(paragraph.start + 1, paragraph.stop))
        pieces.extend(merge(lines, cut_at(paragraph, rows), budget))
    return merge(lines, pieces, budget)
