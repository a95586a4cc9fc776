"""The text that is embedded: a sentence about the chunk, then its code.

Small embedding models are trained on prose, so the sentence says in words what the identifiers say in code. The path is
left out: it adds nothing to the vectors (measured) and would cost a new embedding for every moved file.
"""

from coderag_rag.chunking.languages import label_of
from coderag_rag.chunking.model import Chunk, Definition
from coderag_rag.terms import split_identifier

_MOST_NAMES = 6


def _words(name: str) -> str:
    return " ".join(split_identifier(name)) or name


def _phrase(definition: Definition) -> str:
    if definition.kind == "section":
        return f"section {definition.qualified}"
    *owners, _ = definition.qualified.split(".")
    inside = f" of {_words(owners[-1])}" if owners else ""
    return f"{definition.kind} {_words(definition.name)}{inside}"


def _subject(chunk: Chunk) -> str:
    listed = chunk.definitions[:_MOST_NAMES]
    if listed:
        return ", ".join(_phrase(definition) for definition in listed)
    return f"part of {_phrase(chunk.enclosing)}" if chunk.enclosing else ""


def _explanation(chunk: Chunk) -> str:
    """What the code itself does not show: the summary, and for a continuation the signature it belongs to."""
    if chunk.definitions:
        return chunk.definitions[0].summary
    around = chunk.enclosing
    return " ".join(part for part in (around.signature, around.summary) if part) if around else ""


def embedded_text(chunk: Chunk, language: str) -> str:
    """Return header and code as the embedding model gets them."""
    subject = _subject(chunk)
    first = f"{label_of(language)} {subject}".rstrip() + "."
    explanation = _explanation(chunk)
    return "\n".join(part for part in (first, explanation, chunk.body) if part)
