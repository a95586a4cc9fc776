"""The header of a GGUF file (version 2 and 3): architecture, geometry, tensors. Reads any stream, trusts none of it.

Arrays, of which the vocabulary is the largest, are passed over; only the few values that a summary needs are kept.
"""

import struct
from dataclasses import dataclass
from typing import Any

from coderag_model.bounded import BoundedReader, GgufError, Readable

MAGIC = b"GGUF"
MAX_HEADER = 64 * 1024 * 1024
MAX_KEYS = 4096
MAX_TENSORS = 65_536
MAX_TEXT = 65_535
MAX_STRING = 8 * 1024 * 1024  # a chat template may be long
MAX_ELEMENTS = 2_000_000
MAX_DIMENSIONS = 4
MAX_PARAMETERS = 2**63 - 1
SHOWN = 128
STRING, ARRAY = 8, 9
SCALARS = {
    number: struct.Struct("<" + code)
    for number, code in {
        0: "B",
        1: "b",
        2: "H",
        3: "h",
        4: "I",
        5: "i",
        6: "f",
        7: "?",
        10: "Q",
        11: "q",
        12: "d",
    }.items()
}
INTEGERS = {0, 1, 2, 3, 4, 5, 10, 11}
TEXTS = ("general.architecture", "general.name")
NUMBERS = ("general.file_type", "general.alignment")
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
    reader = BoundedReader(stream, MAX_HEADER)
    tensor_count, key_count = _read_counts(reader)
    values = _read_values(reader, key_count)
    parameters, last = _read_tensors(reader, tensor_count)
    alignment = _aligned(values)
    data = -(-reader.consumed // alignment) * alignment
    return Header(_summarise(values, tensor_count, parameters), data + last + 1 if tensor_count else reader.consumed)


def _read_counts(reader: BoundedReader) -> tuple[int, int]:
    if reader.take(4) != MAGIC:
        raise GgufError("NotGguf", "the file does not start with GGUF")
    version = reader.u32()
    if version not in (2, 3):
        raise GgufError("NotGguf", f"GGUF version {version} is not supported, only 2 and 3")
    return _capped(reader.u64(), MAX_TENSORS, "tensors"), _capped(reader.u64(), MAX_KEYS, "keys")


def _read_values(reader: BoundedReader, count: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    seen: set[str] = set()
    for _ in range(count):
        key = _read_text(reader, MAX_TEXT)
        if key in seen:
            raise GgufError("NotGguf", f"the key {_shown(key)!r} is there twice")
        seen.add(key)
        value = _read_value(reader, key)
        if value is not None:
            values[key] = value
    return values


def _read_value(reader: BoundedReader, key: str) -> Any:
    """Return the value of a key that the summary needs, None for any other; the stream is past it either way."""
    kind = reader.u32()
    if kind == STRING:
        return _read_text(reader, MAX_TEXT) if key in TEXTS else _skip_text(reader)
    if kind == ARRAY:
        return _read_array(reader, key)
    layout = SCALARS.get(kind)
    if layout is None:
        raise GgufError("NotGguf", f"the key {_shown(key)!r} has the unknown type {kind}")
    value = reader.number(layout)
    return value if kind in INTEGERS and _is_wanted(key) else None


def _read_array(reader: BoundedReader, key: str) -> int | None:
    """Pass over an array; of a wanted one (heads per layer) return the largest element."""
    kind = reader.u32()
    count = _capped(reader.u64(), MAX_ELEMENTS, f"elements in {_shown(key)!r}")
    if kind == STRING:
        for _ in range(count):
            _skip_text(reader)
        return None
    layout = SCALARS.get(kind)
    if layout is None:
        raise GgufError("NotGguf", f"the array {_shown(key)!r} has elements of the unknown or nested type {kind}")
    if kind in INTEGERS and key.endswith(GEOMETRY) and count:
        return max(int(reader.number(layout)) for _ in range(count))
    reader.skip(count * layout.size)
    return None


def _read_tensors(reader: BoundedReader, count: int) -> tuple[int, int]:
    """Return the number of parameters and the offset of the last tensor."""
    parameters = last = 0
    for _ in range(count):
        _skip_text(reader, MAX_TEXT)
        elements = 1
        for _ in range(_capped(reader.u32(), MAX_DIMENSIONS, "dimensions of a tensor")):
            elements *= reader.u64()
        reader.skip(4)
        last = max(last, reader.u64())
        parameters += elements
    return _capped(parameters, MAX_PARAMETERS, "parameters"), _capped(last, MAX_PARAMETERS, "bytes of tensors")


def _summarise(values: dict[str, Any], tensors: int, parameters: int) -> HeaderSummary:
    architecture = values.get("general.architecture")
    if not architecture or not isinstance(architecture, str):
        raise GgufError("NotGguf", "the header has no general.architecture")
    layers, context, embedding, heads, heads_kv = (_number(values, architecture + suffix) for suffix in GEOMETRY)
    name = values.get("general.name")
    return HeaderSummary(
        architecture=_shown(architecture),
        name=_shown(name) if isinstance(name, str) else None,
        layers=layers,
        context_length=context,
        embedding_length=embedding,
        head_count=heads,
        head_count_kv=heads if heads_kv is None else heads_kv,
        file_type=_number(values, "general.file_type"),
        tensor_count=tensors,
        parameter_count=parameters,
    )


def _number(values: dict[str, Any], key: str) -> int | None:
    """Return a number that fits the API; a negative or absurd one is a broken header."""
    value = values.get(key)
    if value is not None and (not isinstance(value, int) or not 0 <= value < 2**31):
        raise GgufError("NotGguf", f"{_shown(key)!r} is not a sensible number")
    return value


def _aligned(values: dict[str, Any]) -> int:
    alignment = _number(values, "general.alignment")
    if alignment == 0:
        raise GgufError("NotGguf", "general.alignment is 0")
    return alignment or 32


def _is_wanted(key: str) -> bool:
    return key in NUMBERS or key.endswith(GEOMETRY)


def _read_text(reader: BoundedReader, limit: int) -> str:
    length = _capped(reader.u64(), limit, "bytes in a string")
    return reader.take(length).decode("utf-8", errors="replace")


def _skip_text(reader: BoundedReader, limit: int = MAX_STRING) -> None:
    reader.skip(_capped(reader.u64(), limit, "bytes in a string"))


def _capped(value: int, limit: int, what: str) -> int:
    if value > limit:
        raise GgufError("NotGguf", f"the header claims {value} {what}, more than {limit}")
    return value


def _shown(text: str) -> str:
    """Return untrusted text as it may appear in a message: printable and short."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:SHOWN])
