"""The header reader tells what a good header says and survives everything else."""

import io
import struct
import tracemalloc

import pytest
from coderag_model import GgufError, Header, read_header
from coderag_model.bounded import CHUNK
from gguf_bytes import ARRAY, BOOL, F32, I32, STRING, TENSORS, U32, U64, header, keys, model, pair
from hypothesis import example, given, settings
from hypothesis import strategies as st


def read(content: bytes) -> Header:
    return read_header(io.BytesIO(content))


def reason_of(content: bytes) -> str:
    with pytest.raises(GgufError) as caught:
        read(content)
    return caught.value.reason


@pytest.mark.parametrize("version", [2, 3])
def test_a_good_header_is_summarised(version):
    assert read(header(version=version)).summary.to_json() == {
        "architecture": "llama",
        "name": "tiny",
        "layers": 2,
        "contextLength": 4096,
        "embeddingLength": 64,
        "headCount": 4,
        "headCountKv": 2,
        "fileType": 1,
        "tensorCount": 2,
        "parameterCount": 64 * 10 + 64 * 64,
    }


def test_the_least_size_reaches_into_the_last_tensor():
    head = header()
    assert read(head).minimum_size == -(-len(head) // 32) * 32 + TENSORS[-1][3] + 1
    wide = header(keys(general__alignment=(U32, 4096)))
    assert read(wide).minimum_size == -(-len(wide) // 4096) * 4096 + TENSORS[-1][3] + 1
    assert read(header(tensors=[])).minimum_size == len(header(tensors=[]))


def test_heads_per_layer_are_summarised_by_the_largest():
    found = read(header(keys(llama__attention__head_count_kv=(ARRAY, (I32, [1, 8, 2])))))
    assert found.summary.head_count_kv == 8


def test_what_a_file_does_not_state_is_unknown_and_kv_heads_default_to_heads():
    found = read(header(keys(llama__block_count=None, general__name=None, llama__attention__head_count_kv=None)))
    assert (found.summary.layers, found.summary.name, found.summary.head_count_kv) == (None, None, 4)


def test_keys_of_another_architecture_are_not_ours():
    assert read(header(keys(clip__block_count=(U32, 7)))).summary.layers == 2


def test_a_hostile_name_is_shortened_and_made_printable():
    name = read(header(keys(general__name=(STRING, "\x1b[31m" + "n" * 9000)))).summary.name
    assert len(name) == 128
    assert name.isprintable()


def test_a_vocabulary_is_passed_over_without_being_kept():
    tokens = ["token " * 20] * 8_000
    content = io.BytesIO(header(keys(tokenizer__ggml__tokens=(ARRAY, (STRING, tokens)))))
    tracemalloc.start()
    read_header(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * CHUNK


@pytest.mark.parametrize(
    "content",
    [
        b"<html>",
        b"GGUF" + struct.pack("<IQQ", 1, 0, 0),
        b"GGUF" + struct.pack(">IQQ", 3, 0, 0),
        header(key_count=2**40),
        header(tensor_count=2**40),
        header(pairs={}),
        header(keys(general__architecture=(U32, 1))),
        header(keys(general__architecture=(STRING, ""))),
        header(keys(general__alignment=(U32, 0))),
        header(keys(llama__block_count=(I32, -1))),
        header(keys(llama__block_count=(U64, 2**40))),
        header(keys(llama__attention__head_count=(ARRAY, (I32, [-5])))),
        header(keys(x=(ARRAY, (ARRAY, [(U32, [1])])))),
        header(tensors=[("t", (2**63, 4), 1, 0)]),
        header(tensors=[("t", (1,), 1, 2**64 - 1)]),
        header(tensors=[("t", (1, 1, 1, 1, 1), 1, 0)]),
        header(key_count=2, pairs={"a": (BOOL, True)}, tensors=[]) + pair("a", BOOL, True),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 2**63),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + pair("k", U32, 1)[:9] + struct.pack("<I", 99),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + pair("k", ARRAY, (F32, []))[:17] + struct.pack("<IQ", 99, 1),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + pair("k", ARRAY, (STRING, []))[:-8] + struct.pack("<Q", 2**60),
    ],
)
def test_a_header_that_lies_is_refused(content):
    assert reason_of(content) == "NotGguf"


def test_a_header_of_more_than_64_mib_is_refused_before_it_is_read():
    class Endless:
        taken = 0

        def read(self, size, /):
            self.taken += size
            return bytes(size)

    start = b"GGUF" + struct.pack("<IQQ", 3, 0, 4096)
    filler = [pair(f"k{number}", STRING, b"x" * 8_000_000) for number in range(9)]
    assert reason_of(start + b"".join(filler)) == "NotGguf"
    endless = Endless()
    with pytest.raises(GgufError):
        read_header(endless)
    assert endless.taken == CHUNK


def test_a_geometry_that_is_not_a_whole_number_is_not_taken():
    assert read(header(keys(llama__block_count=(F32, 2.0)))).summary.layers is None
    assert read(header(keys(llama__block_count=(ARRAY, (I32, []))))).summary.layers is None


@given(cut=st.integers(0, len(header()) - 1))
def test_every_cut_header_is_truncated(cut):
    assert reason_of(header()[:cut]) == "Truncated"


@settings(max_examples=150)
@given(
    changes=st.lists(
        st.tuples(st.integers(0, len(header()) - 1), st.binary(min_size=1, max_size=9)), min_size=1, max_size=6
    )
)
@example(changes=[(16, b"\xff" * 8)])
def test_a_mutated_header_is_read_or_refused_with_a_reason(changes):
    content = bytearray(model())
    for place, junk in changes:
        content[place : place + len(junk)] = junk
    found = outcome(bytes(content))
    assert found in {"NotGguf", "Truncated"} or found.summary.parameter_count >= 0


def outcome(content: bytes) -> Header | str:
    """Return what was read, or the reason why nothing was."""
    try:
        return read(content)
    except GgufError as error:
        return error.reason if len(str(error)) < 400 else str(error)


@given(st.binary(max_size=400))
def test_random_bytes_after_the_magic_are_read_or_refused(junk):
    with pytest.raises(GgufError) as caught:
        read(b"GGUF" + junk + b"")
    assert caught.value.reason in {"NotGguf", "Truncated"}
