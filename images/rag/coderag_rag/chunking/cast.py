"""Split-then-merge over a syntax tree (the cAST algorithm), cut at line boundaries.

A node that fits the budget stays whole; one that does not is split into its children, and small neighbours are merged
again. The spans tile the file: joined, the chunks are the file, whatever the tree looks like.
"""

from bisect import bisect_right
from dataclasses import dataclass

from tree_sitter import Node

from coderag_rag.chunking.lines import BUDGET, Lines, cut_at, merge, split_paragraphs
from coderag_rag.chunking.model import Span

# Trees of generated expressions nest thousands of levels deep; below this depth lines are as good.
_DEEPEST = 60


def _last_row(node: Node) -> int:
    """Some nodes end at column 0 of the row after their last one."""
    row, column = node.end_point
    return row - 1 if column == 0 and row > node.start_point[0] else row


def _cut_rows(nodes: list[Node]) -> list[int]:
    """Rows where a node begins that shares its row with no earlier node; a comment stays with what follows it."""
    rows: list[int] = []
    reached, after_comment = -1, False
    for node in nodes:
        start = node.start_point[0]
        if start > reached and not (after_comment and start == reached + 1):
            rows.append(start)
        reached = max(reached, _last_row(node))
        after_comment = "comment" in node.type or node.type in ("decorator", "attribute_item")
    return rows


def _share_out(nodes: list[Node], parts: list[Span]) -> list[list[Node]]:
    """The nodes of each part. No part is cut inside a node, so the row where a node begins decides."""
    starts = [part.start for part in parts]
    shares: list[list[Node]] = [[] for _ in parts]
    for node in nodes:
        shares[max(0, bisect_right(starts, node.start_point[0]) - 1)].append(node)
    return shares


@dataclass
class _Splitter:
    """One file being split; `too_deep` tells whether the tree went on below the deepest level that is followed."""

    lines: Lines
    budget: int
    too_deep: bool = False

    def split(self, span: Span, nodes: list[Node], depth: int) -> list[Span]:
        """Return the spans of a part, given the nodes that begin in it."""
        if span.stop - span.start == 1 or self.lines.fits(span, self.budget):
            return [span]
        if not nodes or depth > _DEEPEST:
            self.too_deep = self.too_deep or bool(nodes)
            return split_paragraphs(self.lines, span, self.budget)
        return merge(self.lines, self._within(span, nodes, depth), self.budget)

    def _within(self, span: Span, nodes: list[Node], depth: int) -> list[Span]:
        parts = cut_at(span, _cut_rows(nodes))
        pieces: list[Span] = []
        for part, within in zip(parts, _share_out(nodes, parts), strict=True):
            children = [child for node in within for child in node.children]
            pieces.extend(self.split(part, children, depth + 1))
        return pieces


def split_tree(lines: Lines, root: Node, budget: int = BUDGET) -> tuple[list[Span], bool]:
    """Return spans that tile the lines and follow the tree, and whether it was too deep to be followed everywhere."""
    splitter = _Splitter(lines, budget)
    spans = splitter.split(Span(0, len(lines)), root.children, 0) if len(lines) else []
    return spans, splitter.too_deep
