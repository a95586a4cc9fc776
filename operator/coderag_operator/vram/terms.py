"""The parts of an estimate: each a name, a size, and where its formula is explained."""

from dataclasses import dataclass

MIB = 1024 * 1024
DOCS = "docs/vram.md"


@dataclass(frozen=True, slots=True)
class Term:
    """One part of an estimate: a size in MiB, and the place in docs/vram.md that derives it."""

    name: str
    mib: float
    formula: str


@dataclass(frozen=True, slots=True)
class Shape:
    """How one server is started; the context is that of one slot, layers count as --n-gpu-layers does."""

    gpu_layers: int
    context_tokens: int
    slots: int
    kv_type: str
    ubatch: int


def term(name: str, size: float, anchor: str) -> Term:
    """Return a term of a size in bytes."""
    return Term(name, size / MIB, f"{DOCS}#{anchor}")
