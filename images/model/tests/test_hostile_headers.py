"""Ten thousand broken headers: each is measured or refused with a reason, at a bounded cost."""

import io
import random
import struct
import tracemalloc
from itertools import cycle

import pytest
from coderag_model import GgufError
from coderag_model.contents import MAX_HEADER, MAX_TENSORS
from coderag_model.measure import read_geometry
from dense_gguf import F32, Dense, file_of, placed, stream_of
from gguf_bytes import ARRAY, BOOL, F64, I8, I32, STRING, U8, U32, U64, header, pair, tensor, text

REASONS = {"NotGguf", "Truncated", "Unsupported"}
MIB = 1024 * 1024
SEEDS = 10_000
ODD = [0, 1, 7, 31, 33, 63, 64, 255, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**63, 2**64 - 1]


class Counted(io.BytesIO):
    """A stream that counts what is taken of it."""

    taken = 0

    def read(self, size=-1, /):
        found = super().read(size)
        self.taken += len(found)
        return found


def headers():
    """Small headers that differ in what there is to break."""
    some = {"tokenizer.ggml.tokens": (ARRAY, (STRING, ["a", "bb", ""])), "x": (BOOL, True), "y": (F64, 0.5)}
    heads = {"gemma3.attention.head_count_kv": (ARRAY, (I32, [2, 2])), "gemma3.attention.sliding_window": (U32, 64)}
    whole = [Dense(layers=1), Dense(architecture="qwen2", tied=True, layers=2), Dense(architecture="gemma3", layers=2)]
    for dense, more in zip(whole, (some, {}, heads), strict=True):
        pairs = dense.keys() | more
        yield header(pairs, list(placed(dense.tensors())))


def mutate(content: bytes, chance: random.Random) -> bytes:
    """Break a few places: bytes, numbers of 4 and 8 bytes, pieces cut out, doubled or swapped."""
    found = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 4))):
        place = chance.randrange(len(found))
        kind = chance.randrange(6)
        if kind == 0:
            found[place] = chance.randrange(256)
        elif kind in (1, 2):
            width = 4 if kind == 1 else 8
            found[place : place + width] = (chance.choice(ODD) % 2 ** (8 * width)).to_bytes(width, "little")
        elif kind == 3:
            del found[place : place + chance.randrange(1, 40)]
        elif kind == 4:
            found[place:place] = found[place : place + chance.randrange(1, 40)]
        else:
            found[place : place + 4] = found[-place - 4 : -place or None][:4]
        if len(found) < 8:
            break
    return bytes(found)


def outcome(content: bytes) -> str:
    """Read and measure; give the reason of the refusal. Anything else than GgufError fails the test."""
    stream = Counted(content)
    try:
        read_geometry(stream)
    except GgufError as error:
        return error.reason if len(str(error)) < 600 and str(error).isprintable() else str(error)
    return "Read" if stream.taken <= len(content) else "ReadTwice"


@pytest.mark.slow
def test_ten_thousand_mutated_headers_are_measured_or_refused():
    originals = list(headers())
    assert {outcome(content) for content in originals} == {"Read"}
    found = {outcome(mutate(content, random.Random(seed))) for seed, content in zip(range(SEEDS), cycle(originals))}
    assert found == REASONS | {"Read"}


@pytest.mark.slow
def test_a_thousand_of_them_never_take_much_memory():
    originals = list(headers())
    tracemalloc.start()
    for seed, content in zip(range(SEEDS, SEEDS + 1000), cycle(originals), strict=False):
        outcome(mutate(content, random.Random(seed)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * MIB


def test_a_header_cut_anywhere_is_truncated():
    for content in headers():
        places = [*range(0, len(content), 64), *range(len(content) - 64, len(content))]
        assert {outcome(content[:place]) for place in places} == {"Truncated"}


def peak_of(content: bytes) -> tuple[int, str]:
    tracemalloc.start()
    found = outcome(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak, found


def start(tensors: int, keys: int) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, keys)


def many_tensors() -> bytes:
    """As many tensors as are allowed, with long names and four dimensions."""
    body = b"".join(tensor(f"{number:063}", (2**20, 2**20, 3, 5), 31, 2**62 + number) for number in range(MAX_TENSORS))
    return start(MAX_TENSORS, 0) + body


def many_keys() -> bytes:
    """Keys of 64 KiB, letters that take two bytes in memory."""
    return start(0, 900) + b"".join(pair(f"{number:04}" + "é" * 32_000, U8, 1) for number in range(900))


def many_lists() -> bytes:
    """Lists that look as if they mattered."""
    content = (ARRAY, (U64, [2**62 + number for number in range(1000)]))
    return start(0, 4096) + b"".join(pair(f"{number}.block_count", *content) for number in range(60))


def many_texts() -> bytes:
    return start(0, 2) + pair("v", ARRAY, (STRING, [""] * 150_000)) + pair("w", ARRAY, (STRING, ["é"] * 150_000))


@pytest.mark.slow
@pytest.mark.parametrize("make", [many_tensors, many_keys, many_lists, many_texts])
def test_the_fattest_headers_stay_below_64_mib(make):
    content = make()
    peak, found = peak_of(content)
    assert found in REASONS
    assert peak < 64 * MIB


def test_what_nobody_needs_is_not_kept():
    content = start(0, 9) + b"".join(pair(f"k{number}", STRING, b"x" * 7_000_000) for number in range(9))
    assert len(content) < MAX_HEADER
    assert peak_of(content)[0] < MIB


@pytest.mark.parametrize(
    "content",
    [
        start(2**64 - 1, 1),
        start(1, 2**64 - 1),
        start(MAX_TENSORS + 1, 0),
        start(0, 1) + text("k") + struct.pack("<IIQ", ARRAY, ARRAY, 2**60),
        start(0, 1) + text("k") + struct.pack("<IIQ", ARRAY, U8, 2**64 - 1),
        start(0, 1) + text("k") + struct.pack("<IQ", STRING, 2**64 - 1),
        start(0, 1) + text("general.architecture") + struct.pack("<IQ", STRING, 2**32),
        start(0, 1) + struct.pack("<Q", 2**64 - 1),
        start(1, 0) + text("t") + struct.pack("<I", 2**32 - 1),
        start(1, 0) + text("t") + struct.pack("<I4QIQ", 4, *[2**64 - 1] * 4, 0, 0),
        start(1, 0) + text("t") + struct.pack("<I4QIQ", 4, *[2**40] * 4, 0, 0),
        start(1, 0) + text("t") + struct.pack("<IQIQ", 1, 1, 0, 2**64 - 1),
        start(1, 0) + text("n" * 64) + struct.pack("<IQIQ", 1, 1, 0, 0),
        start(2, 0) + tensor("t", (1,), F32, 0) * 2,
        file_of(general__alignment=(U32, 24)),
        file_of(general__alignment=(I8, -32)),
        file_of(llama__block_count=(U64, 2**64 - 1)),
        file_of(llama__embedding_length=(I32, -512)),
    ],
)
def test_lies_are_refused(content):
    assert outcome(content) == "NotGguf"


def test_a_good_header_is_read_once_and_no_further_than_needed():
    stream = Counted(stream_of().getvalue())
    read_geometry(stream)
    assert stream.taken < 2 * 64 * 1024
