"""The numbered blocks that a model may cite, cut to a token budget.

The number of a block is its position in the prompt, so a marker `[n]` of an answer means exactly one stored chunk.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from coderag_rag.query.hits import Hit

# Code in ASCII has about 3.2 characters a token with the tokenizers of the usual models; other scripts about one. The
# exact count belongs to the model behind the gateway, and asking it for every block would cost a request each.
_CHARACTERS_PER_TOKEN = 3.2


def estimate_tokens(text: str) -> int:
    """Return about how many tokens a text has, rounded up."""
    other = sum(1 for character in text if ord(character) > 127)
    return other + math.ceil((len(text) - other) / _CHARACTERS_PER_TOKEN)


@dataclass(frozen=True)
class Block:
    """One numbered source of a prompt."""

    number: int
    hit: Hit

    @property
    def text(self) -> str:
        """The block as the model sees it. A closing tag inside the code is defused: the code is data."""
        hit = self.hit
        body = hit.text.rstrip("\n").replace("</source", "<\\/source")
        where = f"{hit.repository} {hit.path}:{hit.start_line}-{hit.end_line}"
        return f"[{self.number}] {where}\n<source>\n{body}\n</source>\n"


def build_context(hits: Iterable[Hit], budget: int) -> list[Block]:
    """Return the best hits as blocks, as many as fit; the first one always, for an answer needs something to cite."""
    blocks: list[Block] = []
    left = budget
    for number, hit in enumerate(hits, start=1):
        block = Block(number, hit)
        left -= estimate_tokens(block.text)
        if left < 0 and blocks:
            break
        blocks.append(block)
    return blocks
