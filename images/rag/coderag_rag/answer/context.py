"""The numbered blocks that a model may cite, cut to a token budget.

The number of a block is its position in the prompt, so a marker `[n]` of an answer means exactly one range of lines.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from coderag_rag.answer.quoting import one_line, visible
from coderag_rag.chunking.lines import Lines
from coderag_rag.query.hits import Hit

# Code in ASCII has about 3.2 characters a token with the tokenizers of the usual models; other scripts about one. The
# exact count belongs to the model behind the gateway, and asking it for every block would cost a request each.
_CHARACTERS_PER_TOKEN = 3.2
_ORDINARY = 8_000  # characters; no chunk that was cut by the budget of chunks is longer, a line of a minified file is


def estimate_tokens(text: str) -> int:
    """Return about how many tokens a text has, rounded up."""
    other = sum(1 for character in text if ord(character) > 127)
    return other + math.ceil((len(text) - other) / _CHARACTERS_PER_TOKEN)


@dataclass(frozen=True)
class Block:
    """One numbered source of a prompt: a stored chunk, or several of one file that touch each other, in line order."""

    number: int
    hits: tuple[Hit, ...]

    @property
    def file(self) -> tuple[str, str, str, str]:
        """The content at its place."""
        return _file(self.hits[0])

    @property
    def start_line(self) -> int:
        """The first line."""
        return self.hits[0].start_line

    @property
    def end_line(self) -> int:
        """The last line."""
        return max(hit.end_line for hit in self.hits)

    @property
    def source(self) -> str:
        """The lines themselves, each once."""
        lines: list[str] = []
        for hit in self.hits:
            known = self.start_line + len(lines) - hit.start_line
            lines += Lines(hit.text).lines[max(0, known) :]
        return "".join(lines)

    @property
    def header(self) -> str:
        """The line that names the block: its number, the repository and the lines of the path."""
        place = one_line(f"{self.hits[0].repository} {self.hits[0].path}")
        return f"[{self.number}] {place}:{self.start_line}-{self.end_line}"

    @property
    def data(self) -> str:
        """The lines as the model sees them: nothing in them can end the quotation or pose as a part of the prompt."""
        return visible(self.source).rstrip("\n")

    @property
    def tokens(self) -> int:
        """About how many tokens of a prompt the block takes."""
        return estimate_tokens(self.quoted("source-00000000"))

    def quoted(self, tag: str) -> str:
        """Return the block as a part of a prompt, its lines between tags of this name."""
        return f"{self.header}\n<{tag}>\n{self.data}\n</{tag}>\n"

    def touches(self, hit: Hit) -> bool:
        """Whether a chunk continues this block, or repeats a part of it."""
        near = hit.start_line <= self.end_line + 1 and self.start_line <= hit.end_line + 1
        return near and _file(hit) == self.file


def build_context(hits: Iterable[Hit], budget: int) -> list[Block]:
    """Return the best hits as blocks, as many as fit; one always, for an answer needs something to cite.

    No text is told twice: chunks that touch become one block, and a chunk whose text another file brought is left out.
    A line of a minified file can be longer than any budget: it is passed over for the next hit.
    """
    blocks: list[Block] = []
    seen: set[str] = set()
    for hit in _that_fit(list(hits), budget):
        if hit.text_sha256 in seen:
            continue
        wider = _with(blocks, hit)
        if blocks and sum(block.tokens for block in wider) > budget:
            break
        blocks = wider
        seen.add(hit.text_sha256)
    return blocks


def _that_fit(hits: Sequence[Hit], budget: int) -> Sequence[Hit]:
    """Return the hits of an ordinary length and those that fit alone, in their order; the shortest if there is none."""
    fitting = [hit for hit in hits if len(hit.text) <= _ORDINARY or Block(1, (hit,)).tokens <= budget]
    return fitting or sorted(hits, key=lambda hit: len(hit.text))[:1]


def _with(blocks: Sequence[Block], hit: Hit) -> list[Block]:
    """Return the blocks with one more chunk. What it touches becomes one block, at the place of the best part."""
    touched = [block for block in blocks if block.touches(hit)]
    parts = sorted((*(part for block in touched for part in block.hits), hit), key=lambda part: part.start_line)
    place = blocks.index(touched[0]) if touched else len(blocks)
    groups = [block.hits for block in blocks if block not in touched]
    groups.insert(place, tuple(parts))
    return [Block(number, group) for number, group in enumerate(groups, start=1)]


def _file(hit: Hit) -> tuple[str, str, str, str]:
    return (hit.repository, hit.commit, hit.path, hit.blob)
