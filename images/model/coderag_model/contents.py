"""The header of a GGUF file (version 2 and 3) as it stands there: the keys that matter, and the tensor table.

Separate from what is made of it (`header` summarises, `measure` counts bytes). Reads any stream, trusts none of it:
every count and length has a cap, what nobody needs is passed over, and what is kept stays below a few ten MiB.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

from coderag_model.bounded import BoundedReader, GgufError, Readable
from coderag_model.printable import shown
from coderag_model.tensors import Tensor, aligned

MAGIC = b"GGUF"
MAX_HEADER = 64 * 1024 * 1024
MAX_KEYS = 4096
MAX_TENSORS = 16_384  # the largest models have some two thousand
MAX_TEXT = 65_535
MAX_NAME = 63  # bytes of a tensor's name: GGML_MAX_NAME - 1
MAX_STRING = 8 * 1024 * 1024  # a chat template may be long
MAX_ELEMENTS = 2_000_000
MAX_KEPT = 32_768  # values of all the arrays that are kept; a model needs one per layer
MAX_DIMENSIONS = 4
MAX_ADDRESS = 2**63 - 1
MAX_ALIGNMENT = 2**31
STRING, ARRAY, BOOL = 8, 9, 7
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
WHOLE = {0, 1, 2, 3, 4, 5, 7, 10, 11}  # integers and flags
TEXTS = ("general.architecture", "general.name")
NUMBERS = ("general.file_type", "general.alignment", "split.no", "split.count", "split.tensors.count")
SUFFIXES = (
    ".block_count", ".context_length", ".embedding_length", ".feed_forward_length", ".expert_count",
    ".nextn_predict_layers", ".pooling_type",
    ".attention.head_count", ".attention.head_count_kv", ".attention.key_length", ".attention.value_length",
    ".attention.key_length_swa", ".attention.value_length_swa", ".attention.key_length_mla",
    ".attention.kv_lora_rank", ".attention.causal", ".attention.sliding_window",
    ".attention.sliding_window_pattern",
)  # fmt: skip

Value = int | str | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Contents:
    """Values of the keys that matter, the tensor table, and where the tensors' data begins."""

    values: dict[str, Value]
    tensors: tuple[Tensor, ...]
    alignment: int
    header_size: int  # bytes up to the end of the tensor table

    @property
    def data_start(self) -> int:
        """Return where the data begins."""
        return aligned(self.header_size, self.alignment)


def read_contents(stream: Readable, max_tensors: int = MAX_TENSORS) -> Contents:
    """Read the header from the start of a stream; raises GgufError with a reason."""
    reader = BoundedReader(stream, MAX_HEADER)
    tensor_count, key_count = _read_counts(reader, max_tensors)
    values = _read_values(reader, key_count)
    tensors = tuple(_read_tensor(reader) for _ in range(tensor_count))
    refuse_twins(tensors)
    return Contents(values, tensors, _alignment(values), reader.consumed)


def _read_counts(reader: BoundedReader, max_tensors: int) -> tuple[int, int]:
    if reader.take(4) != MAGIC:
        raise GgufError("NotGguf", "the file does not start with GGUF")
    version = reader.u32()
    if version not in (2, 3):
        raise GgufError("NotGguf", f"GGUF version {version} is not supported, only 2 and 3")
    return capped(reader.u64(), max_tensors, "tensors"), capped(reader.u64(), MAX_KEYS, "keys")


def _read_values(reader: BoundedReader, count: int) -> dict[str, Value]:
    values: dict[str, Value] = {}
    seen: set[bytes] = set()  # digests: the keys themselves may be long
    room = MAX_KEPT
    for _ in range(count):
        key = _read_text(reader, MAX_TEXT, "bytes in a key")
        mark = blake2b(key.encode(), digest_size=16).digest()
        if mark in seen:
            raise GgufError("NotGguf", f"the key {shown(key)!r} is there twice")
        seen.add(mark)
        value = _read_value(reader, key, room)
        if value is not None:
            values[key] = value
        room -= len(value) if isinstance(value, tuple) else 0
    return values


def _read_value(reader: BoundedReader, key: str, room: int) -> Value | None:
    """Return the value of a key that matters, None for any other; the stream is past it either way."""
    kind = reader.u32()
    if kind == STRING:
        if key in TEXTS:
            return _read_text(reader, MAX_TEXT, f"bytes in {key!r}")
        reader.skip_texts(1, MAX_STRING)
        return None
    if kind == ARRAY:
        return _read_array(reader, key, room)
    value = reader.number(_layout(kind, key))
    return int(value) if kind in WHOLE and _matters(key) else None


def _read_array(reader: BoundedReader, key: str, room: int) -> tuple[int, ...] | None:
    """Return the whole numbers of an array that matters (heads per layer); pass over any other."""
    kind = reader.u32()
    count = capped(reader.u64(), MAX_ELEMENTS, f"elements in {shown(key)!r}")
    if kind == STRING:
        reader.skip_texts(count, MAX_STRING)
        return None
    layout = _layout(kind, key)
    if kind not in WHOLE or not key.endswith(SUFFIXES):
        reader.skip(count * layout.size)
        return None
    capped(count, room, "values of layers")
    return tuple(int(reader.number(layout)) for _ in range(count))


def _layout(kind: int, key: str) -> struct.Struct:
    layout = SCALARS.get(kind)
    if layout is None:
        raise GgufError("NotGguf", f"the key {shown(key)!r} has values of the unknown or nested type {kind}")
    return layout


def _read_tensor(reader: BoundedReader) -> Tensor:
    name = _read_text(reader, MAX_NAME, "bytes in the name of a tensor")
    count = capped(reader.u32(), MAX_DIMENSIONS, "dimensions of a tensor")
    shape = tuple(reader.u64() for _ in range(count))
    tensor = Tensor(name, shape, reader.u32(), reader.u64())
    capped(max(*shape, tensor.elements, tensor.offset), MAX_ADDRESS, f"elements or bytes in {shown(name)!r}")
    return tensor


def refuse_twins(tensors: Iterable[Tensor]) -> None:
    """Raise if two tensors have one name."""
    seen: set[str] = set()
    for tensor in tensors:
        if tensor.name in seen:
            raise GgufError("NotGguf", f"the tensor {shown(tensor.name)!r} is there twice")
        seen.add(tensor.name)


def _alignment(values: dict[str, Value]) -> int:
    found = values.get("general.alignment", 32)
    if not isinstance(found, int) or not 0 < found < MAX_ALIGNMENT or found & (found - 1):
        raise GgufError("NotGguf", "general.alignment is not a power of 2")
    return found


def _matters(key: str) -> bool:
    return key in NUMBERS or key.endswith(SUFFIXES)


def _read_text(reader: BoundedReader, limit: int, what: str) -> str:
    length = capped(reader.u64(), limit, what)
    return reader.take(length).decode("utf-8", errors="replace")


def capped(value: int, limit: int, what: str) -> int:
    """Return a number that the header claims, unless it is absurd."""
    if value > limit:
        raise GgufError("NotGguf", f"the header claims {value} {what}, more than {limit}")
    return value
