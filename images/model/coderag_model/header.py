"""The summary of a GGUF header: what the operator shows of a model, and how long its file is at the very least."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from coderag_model.bounded import GgufError, Readable
from coderag_model.contents import Contents, Value, capped, read_contents
from coderag_model.printable import shown

MAX_PARAMETERS = 2**63 - 1
GEOMETRY = (".block_count", ".context_length", ".embedding_length", ".attention.head_count", ".attention.head_count_kv")


@dataclass(frozen=True, slots=True)
class HeaderSummary:
    """What the operator keeps of a header; a value that the file does not state is None."""

    architecture: str
    name: str | None
    layers: int | None
    context_length: int | None
    embedding_length: int | None
    head_count: int | None
    head_count_kv: int | None
    file_type: int | None
    tensor_count: int
    parameter_count: int

    def to_json(self) -> dict[str, Any]:
        """Return the summary under the names that the fetch Job reports."""
        return {
            "architecture": self.architecture, "name": self.name, "layers": self.layers,
            "contextLength": self.context_length, "embeddingLength": self.embedding_length,
            "headCount": self.head_count, "headCountKv": self.head_count_kv, "fileType": self.file_type,
            "tensorCount": self.tensor_count, "parameterCount": self.parameter_count,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Header:
    """A summary, and how long the file must be at the very least to hold its last tensor."""

    summary: HeaderSummary
    minimum_size: int


def read_header(stream: Readable) -> Header:
    """Read the header of a GGUF file from the start of a stream; raises GgufError with a reason."""
    contents = read_contents(stream)
    return Header(summarise([contents]), minimum_size(contents))


def minimum_size(contents: Contents) -> int:
    """Return how long the file must be to hold the first byte of its last tensor, whatever the types are."""
    last = max((tensor.offset for tensor in contents.tensors), default=None)
    return contents.header_size if last is None else contents.data_start + last + 1


def summarise(parts: Sequence[Contents]) -> HeaderSummary:
    """Return what the header of the first file says, and how many tensors all files have."""
    tensors = [tensor for part in parts for tensor in part.tensors]
    parameters = capped(sum(tensor.elements for tensor in tensors), MAX_PARAMETERS, "parameters")
    return _summary(parts[0].values, len(tensors), parameters)


def _summary(values: dict[str, Value], tensors: int, parameters: int) -> HeaderSummary:
    architecture = architecture_of(values)
    layers, context, embedding, heads, heads_kv = (largest(values, architecture + suffix) for suffix in GEOMETRY)
    name = values.get("general.name")
    return HeaderSummary(
        architecture=shown(architecture),
        name=shown(name) if isinstance(name, str) else None,
        layers=layers,
        context_length=context,
        embedding_length=embedding,
        head_count=heads,
        head_count_kv=heads if heads_kv is None else heads_kv,
        file_type=largest(values, "general.file_type"),
        tensor_count=tensors,
        parameter_count=parameters,
    )


def architecture_of(values: dict[str, Value]) -> str:
    """Return the architecture, which prefixes the keys of its numbers."""
    found = values.get("general.architecture")
    if not found or not isinstance(found, str):
        later = ": of a model in several files, name the first, -00001-of-..." if values.get("split.no") else ""
        raise GgufError("NotGguf", f"the header has no general.architecture{later}")
    return found


def largest(values: dict[str, Value], key: str) -> int | None:
    """Return a number that fits the API, of an array the largest; a negative or absurd one is a broken header."""
    value = values.get(key)
    if isinstance(value, tuple):
        value = max(value, default=None)
    if value is not None and (not isinstance(value, int) or not 0 <= value < 2**31):
        raise GgufError("NotGguf", f"{shown(key)!r} is not a sensible number")
    return value
