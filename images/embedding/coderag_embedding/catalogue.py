"""The models that this service knows: what turns a folder of published files into vectors, as data.

A folder that `build` made says all this itself in model.json. A folder fetched from the publisher does not: pooling,
prompts and useful lengths stand in model cards, so they stand here, pinned to the commit that they were read at.
"""

from dataclasses import dataclass
from typing import Literal

Pooling = Literal["mean", "cls", "last"]

# Models that read 8,192 tokens and more are cut here. An index holds chunks of some 600 characters, and attention's
# memory grows with the square of the length: 16 heads over 8,192 tokens are 4 GiB for one layer of one text.
LONGEST = 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """One model. Lengths are in tokens, `dimensions` in numbers per vector."""

    name: str  # what requests and spec.embedding.model call it; also its folder's name
    source: str  # the publisher's repository
    revision: str  # its commit
    pooling: Pooling
    dimensions: int
    max_tokens: int
    multilingual: bool = False
    query_prompt: str = ""
    passage_prompt: str = ""
    shortest: int | None = None  # the fewest leading numbers that still make a vector; None: only all of them


ENTRIES = (
    Entry(
        name="all-MiniLM-L6-v2", source="sentence-transformers/all-MiniLM-L6-v2",
        revision="8b3219a92973c328a8e22fadcfa821b5dc75636a", pooling="mean", dimensions=384, max_tokens=256,
    ),
    Entry(
        name="bge-small-en-v1.5", source="BAAI/bge-small-en-v1.5",
        revision="5c38ec7c405ec4b44b94cc5a9bb96e735b38267a", pooling="cls", dimensions=384, max_tokens=512,
        query_prompt="Represent this sentence for searching relevant passages: ",
    ),
    Entry(
        name="KURE-v1", source="nlpai-lab/KURE-v1",
        revision="d14c8a9423946e268a0c9952fecf3a7aabd73bd9", pooling="cls", dimensions=1024, max_tokens=LONGEST,
        multilingual=True,
    ),
    Entry(
        name="gte-modernbert-base", source="Alibaba-NLP/gte-modernbert-base",
        revision="e7f32e3c00f91d699e8c43b53106206bcc72bb22", pooling="cls", dimensions=768, max_tokens=LONGEST,
    ),
    Entry(
        name="Qwen3-Embedding-0.6B", source="Qwen/Qwen3-Embedding-0.6B",
        revision="97b0c614be4d77ee51c0cef4e5f07c00f9eb65b3", pooling="last", dimensions=1024, max_tokens=LONGEST,
        multilingual=True, shortest=32,
        query_prompt="Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:",
    ),
)  # fmt: skip
CATALOGUE = {entry.name: entry for entry in ENTRIES}
