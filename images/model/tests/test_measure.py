"""A model is measured as llama.cpp lays it out; what it would lay out in a way not known here is refused by name."""

import io

import pytest
from coderag_model import GgufError
from coderag_model.measure import read_geometry
from coderag_model.tensors import CPU
from dense_gguf import F32, Dense, nbytes, stream_of, whole
from gguf_bytes import ARRAY, BOOL, F64, I32, U32

NORM = 512 * 4


def refusal(*streams) -> GgufError:
    with pytest.raises(GgufError) as caught:
        read_geometry(*streams)
    return caught.value


def test_a_model_is_measured():
    found = read_geometry(stream_of())
    matrices = [nbytes(shape, 12) for _, shape in Dense().matrices()]
    assert (found.architecture, found.layers, found.embedding_length, found.vocabulary) == ("llama", 3, 512, 320)
    assert (found.feed_forward_length, found.head_count, found.head_count_kv) == (768, 8, (2, 2, 2))
    assert (found.key_length, found.value_length, found.context_length) == (64, 64, 4096)
    # ffn_down: the last row of 768 is made up to 1,024, one block of 144 bytes, and that to a multiple of 128
    assert found.block_bytes == (sum(matrices) + 256 + 2 * NORM,) * 3
    assert found.largest_matrix_bytes == (nbytes((768, 512), 12) + 256,) * 3
    assert found.input_bytes == nbytes((512, 320), 14)
    assert found.output_bytes == nbytes((512, 320), 14) + NORM
    assert found.tied is False


def test_a_processor_pads_less_than_a_gpu():
    found = read_geometry(stream_of(), allocator=CPU)
    assert found.block_bytes == (sum(nbytes(shape, 12) for _, shape in Dense().matrices()) + 2 * NORM,) * 3


def test_a_tied_model_has_its_embedding_twice():
    found = read_geometry(stream_of(Dense(tied=True)))
    assert found.tied is True
    assert found.output_bytes == found.input_bytes + NORM


@pytest.mark.parametrize(
    ("architecture", "tied", "window", "layers"),
    [
        ("llama", False, None, ""),
        ("mistral3", False, 4096, ""),
        ("qwen2", True, 32768, ""),
        ("qwen3", True, None, ""),
        ("gemma", True, None, ""),
        ("gemma2", True, 4096, "10101010"),
        ("gemma3", True, 1024, "11111011"),
        ("phi2", False, None, ""),
        ("phi3", False, 2047, ""),
    ],
)
def test_windows_follow_the_architecture(architecture, tied, window, layers):
    dense = Dense(architecture=architecture, tied=tied, layers=8)
    stated = {f"{architecture}.attention.sliding_window": (U32, window)} if window else {}
    found = read_geometry(stream_of(dense, **stated))
    assert found.sliding_layers == tuple(flag == "1" for flag in layers or "0" * 8)
    assert found.sliding_window == (window if layers else 0)


def test_gemma_2_has_a_window_even_if_the_file_is_silent_and_gemma_3_has_none():
    assert read_geometry(stream_of(Dense(architecture="gemma2", tied=True))).sliding_window == 4096
    assert read_geometry(stream_of(Dense(architecture="gemma3", tied=True))).sliding_window == 0


@pytest.mark.parametrize(
    ("pattern", "layers"),
    [
        ((U32, 2), (True, False, True)),
        ((U32, 0), (True, True, True)),
        ((U32, 1), (False, False, False)),
        ((ARRAY, (BOOL, [False, True, True])), (False, True, True)),
        ((ARRAY, (BOOL, [True])), (True, False, False)),
    ],
)
def test_a_file_may_state_its_own_pattern(pattern, layers):
    keys = {"gemma3.attention.sliding_window": (U32, 512), "gemma3.attention.sliding_window_pattern": pattern}
    found = read_geometry(stream_of(Dense(architecture="gemma3", tied=True), **keys))
    assert found.sliding_layers == layers
    assert found.sliding_window == (512 if any(layers) else 0)


def test_head_lengths_are_stated_or_follow():
    wide = Dense(head=96)
    lengths = {"llama.attention.key_length": (U32, 96), "llama.attention.value_length": (U32, 96)}
    found = read_geometry(stream_of(wide, **lengths))
    assert (found.key_length, found.value_length) == (96, 96)


def test_heads_and_widths_may_differ_between_layers():
    class Mixed(Dense):
        def tensors(self):
            for name, shape, kind in super().tensors():
                yield (name, (512, 64 * 4), kind) if name in ("blk.1.attn_k.weight", "blk.1.attn_v.weight") else (
                    name, shape, kind
                )  # fmt: skip

    keys = {"llama.attention.head_count_kv": (ARRAY, (I32, [2, 4, 2]))}
    found = read_geometry(stream_of(Mixed(), **keys))
    assert found.head_count_kv == (2, 4, 2)
    assert found.block_bytes[1] > found.block_bytes[0]


def test_rope_factors_go_with_the_output():
    extra = ("rope_freqs.weight", (32,), F32)
    found = read_geometry(io.BytesIO(whole(Dense().keys(), [*Dense().tensors(), extra])))
    assert found.output_bytes == read_geometry(stream_of()).output_bytes + 128


@pytest.mark.parametrize(
    ("architecture", "keys", "words"),
    [
        ("mamba", {}, "recurrent state"),
        ("jamba", {}, "recurrent layers"),
        ("bert", {}, "encoder"),
        ("deepseek2", {}, "latent attention"),
        ("dream", {}, "diffusion"),
        ("clip", {}, "part of another model"),
        ("gpt-oss", {}, "mixture of experts"),
        ("llama", {"llama.expert_count": (U32, 8)}, "mixture of experts"),
        ("qwen3", {"qwen3.attention.kv_lora_rank": (U32, 8)}, "latent attention"),
        ("qwen3", {"qwen3.nextn_predict_layers": (U32, 1)}, "several tokens at once"),
        ("qwen3", {"qwen3.pooling_type": (U32, 3)}, "embedding model"),
        ("llama", {"llama.attention.causal": (BOOL, False)}, "embedding model"),
        ("gemma3", {"gemma3.attention.key_length_swa": (U32, 32)}, "differ in size"),
        ("starcoder9", {}, "modelled are llama"),
        ("gemma2", {}, "output.weight"),
    ],
)
def test_what_is_not_modelled_is_refused_with_the_reason(architecture, keys, words):
    error = refusal(stream_of(Dense(architecture=architecture), **keys))
    assert (error.reason, words in str(error)) == ("Unsupported", True), str(error)


def test_an_unknown_type_is_refused_by_tensor_and_number():
    tensors = [*Dense().tensors(), ("blk.0.attn_q.bias", (512,), 31)]
    error = refusal(io.BytesIO(whole(Dense().keys(), tensors)))
    assert error.reason == "Unsupported"
    assert "blk.0.attn_q.bias" in str(error)
    assert "31" in str(error)


@pytest.mark.parametrize(
    "name", ["output_extra.weight", "blk.3.attn_q.weight", "blk.01x.attn_q", "blk.0.", "v.blk.0.a"]
)
def test_a_tensor_without_a_place_is_refused_by_name(name):
    error = refusal(io.BytesIO(whole(Dense().keys(), [*Dense().tensors(), (name, (512,), F32)])))
    assert (error.reason, name in str(error)) == ("Unsupported", True)


@pytest.mark.parametrize(
    ("keys", "field"),
    [
        ({"llama.block_count": None}, "llama.block_count"),
        ({"llama.block_count": (U32, 0)}, "llama.block_count"),
        ({"llama.block_count": (U32, 513)}, "llama.block_count"),
        ({"llama.block_count": (U32, 4)}, "layer 3"),
        ({"llama.embedding_length": None}, "llama.embedding_length"),
        ({"llama.embedding_length": (F64, 512.0)}, "llama.embedding_length"),
        ({"llama.embedding_length": (U32, 256)}, "blk.0.attn_k.weight"),
        ({"llama.context_length": None}, "llama.context_length"),
        ({"llama.context_length": (I32, -5)}, "llama.context_length"),
        ({"llama.feed_forward_length": None}, "llama.feed_forward_length"),
        ({"llama.feed_forward_length": (U32, 800)}, "blk.0.ffn_down.weight"),
        ({"llama.attention.head_count": (U32, 1024)}, "key_length"),
        ({"llama.attention.head_count": (ARRAY, (I32, [8, 8]))}, "llama.attention.head_count"),
        ({"llama.attention.head_count_kv": (U32, 4)}, "blk.0.attn_k.weight"),
        ({"llama.attention.head_count_kv": None}, "blk.0.attn_k.weight"),
        ({"llama.attention.head_count_kv": (ARRAY, (I32, [2, 0, 2]))}, "llama.attention.head_count_kv"),
        ({"llama.attention.key_length": (ARRAY, (I32, [64]))}, "llama.attention.key_length"),
        ({"llama.attention.value_length": (U32, 32)}, "blk.0.attn_v.weight"),
    ],
)
def test_numbers_that_do_not_fit_the_tensors_are_named(keys, field):
    error = refusal(stream_of(**keys))
    assert (error.reason, field in str(error)) == ("NotGguf", True), str(error)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda tensors: [each for each in tensors if each[0] != "token_embd.weight"], "token_embd.weight"),
        (lambda tensors: [("token_embd.weight", (256, 640), 14), *tensors[1:]], "256 columns"),
        (lambda tensors: [("token_embd.weight", (512, 0), 14), *tensors[1:]], "token_embd.weight"),
        (lambda tensors: [("token_embd.weight", (500, 320), 14), *tensors[1:]], "rows of 500"),
    ],
)
def test_an_embedding_that_does_not_fit_is_named(change, field):
    error = refusal(io.BytesIO(whole(Dense().keys(), change(list(Dense().tensors())))))
    assert error.reason == "NotGguf"
    assert field in str(error) or "keys say 512 columns" in str(error)


def test_phi_2_needs_an_output():
    assert refusal(stream_of(Dense(architecture="phi2", tied=True))).reason == "NotGguf"
