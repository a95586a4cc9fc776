"""What an index was built with.

Vectors of different models, chunkers or redaction policies must never be mixed, so everything that shapes a point
is hashed into one identity, and each identity has a collection of its own.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

CHUNKER_VERSION = "cast-600/2"
# The keyword tokens shape stored vectors as the header does, so they are versioned together.
TEMPLATE_VERSION = "header/2+keyword/3"
REDACTION_VERSION = "patterns/2"


@dataclass(frozen=True)
class EmbeddingModel:
    """The embedding model as its service describes it under /v1/models."""

    model: str
    revision: str
    dimensions: int
    max_tokens: int
    pooling: str
    precision: str
    query_prompt: str
    passage_prompt: str


def index_identity(model: EmbeddingModel) -> str:
    """Return the identity (64 hex digits) of an index built with this model and this code."""
    versions = {"chunker": CHUNKER_VERSION, "template": TEMPLATE_VERSION, "redaction": REDACTION_VERSION}
    return _digest(asdict(model) | versions)


def model_identity(model: EmbeddingModel) -> str:
    """Return the identity (64 hex digits) of the vectors that a model gives: what a vector of a text depends on."""
    return _digest(asdict(model))


def _digest(parts: Mapping[str, object]) -> str:
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
