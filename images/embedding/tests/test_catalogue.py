"""The table of models, each served from a tiny graph of the same shape that a publisher would have made."""

import re

import numpy as np
import onnx
import pytest
from coderag_embedding import build
from coderag_embedding.catalogue import CATALOGUE, ENTRIES
from coderag_embedding.folder import describe_folder
from coderag_embedding.model import load_model
from onnx import TensorProto, helper, numpy_helper

# What the publishers' graphs take: BERT has segments, decoders want positions, the others neither.
EXTRA_INPUT = {"bge-small-en-v1.5": "token_type_ids", "Qwen3-Embedding-0.6B": "position_ids"}
FETCHED = [entry for entry in ENTRIES if entry.name != "all-MiniLM-L6-v2"]
ALPHA_BETA = [1, 4, 5, 2]  # [CLS] alpha beta [SEP]


def tables(width):
    """Vectors of nine tokens, and of 64 positions or segments."""
    random = np.random.default_rng(width)
    return random.normal(size=(9, width)).astype(np.float32), random.normal(size=(64, width)).astype(np.float32)


def save_graph(path, width, extra=None, output="last_hidden_state"):
    """Write a graph whose hidden state is a token's row, plus the row that an extra input chooses."""
    words, others = tables(width)
    nodes = [helper.make_node("Gather", ["words", "input_ids"], [output if not extra else "word"])]
    if extra:
        nodes += [
            helper.make_node("Gather", ["others", extra], ["other"]),
            helper.make_node("Add", ["word", "other"], [output]),
        ]
    names = ["input_ids", "attention_mask", *([extra] if extra else [])]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"]) for name in names]
    result = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", "length", width])
    constants = [numpy_helper.from_array(words, "words"), numpy_helper.from_array(others, "others")]
    graph = helper.make_graph(nodes, "tiny", inputs, [result], constants)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)


@pytest.fixture
def fetch(tmp_path, model_factory):
    """Lay out a model's folder as its publisher does."""

    def put(entry, graph="onnx/model.onnx", **options):
        folder = tmp_path / entry.name
        save_graph(folder / graph, entry.dimensions, EXTRA_INPUT.get(entry.name), **options)
        model_factory()._tokenizer.save(str(folder / "tokenizer.json"))
        return folder

    return put


def expected_vector(entry):
    words, others = tables(entry.dimensions)
    hidden = words[ALPHA_BETA].astype(np.float64)
    if extra := EXTRA_INPUT.get(entry.name):
        hidden = hidden + others[range(4) if extra == "position_ids" else [0] * 4]
    vector = {"mean": hidden.mean(0), "cls": hidden[0], "last": hidden[-1]}[entry.pooling]
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize("entry", FETCHED, ids=lambda entry: entry.name)
def test_a_fetched_folder_is_served_with_the_pooling_of_its_table_row(fetch, entry):
    model = load_model(fetch(entry), "fp32")
    np.testing.assert_allclose(model.embed("alpha beta").vector, expected_vector(entry), atol=1e-6)
    assert model.manifest.dimensions == entry.dimensions
    assert (model.manifest.query_prompt, model.manifest.passage_prompt) == (entry.query_prompt, entry.passage_prompt)


@pytest.mark.parametrize("entry", FETCHED, ids=lambda entry: entry.name)
def test_texts_computed_together_have_the_vectors_that_they_have_alone(fetch, entry):
    model = load_model(fetch(entry), "fp32")
    texts = ["alpha", "beta gamma alpha beta", "", "gamma gamma"]
    for text, together in zip(texts, model.embed_together(texts, most_tokens=12), strict=True):
        alone = model.embed(text)
        np.testing.assert_allclose(together.vector, alone.vector, atol=1e-6)
        assert (together.tokens, together.truncated) == (alone.tokens, alone.truncated)


def test_the_table_has_the_models_of_both_profiles():
    assert set(CATALOGUE) == {
        "all-MiniLM-L6-v2", "bge-small-en-v1.5", "KURE-v1", "gte-modernbert-base", "Qwen3-Embedding-0.6B",
    }  # fmt: skip
    assert {entry.name for entry in ENTRIES if entry.multilingual} == {"KURE-v1", "Qwen3-Embedding-0.6B"}
    for entry in ENTRIES:
        assert re.fullmatch("[0-9a-f]{40}", entry.revision)
        assert entry.source.endswith(f"/{entry.name}")
        assert entry.shortest is None or entry.shortest < entry.dimensions


def test_the_table_and_the_build_agree_about_the_model_in_the_image():
    assert CATALOGUE[build.NAME].max_tokens == build.MAX_TOKENS
    assert CATALOGUE[build.NAME].pooling == "mean"


def test_both_names_of_the_smaller_graph_are_found(fetch):
    entry = CATALOGUE["bge-small-en-v1.5"]
    folder = fetch(entry, "onnx/model_quantized.onnx")
    assert describe_folder(folder).precisions["int8"].file == "onnx/model_quantized.onnx"
    fetch(entry, "model_int8.onnx")
    assert describe_folder(folder).precisions["int8"].file == "model_int8.onnx"


def test_the_revision_follows_the_weights_the_tokenizer_and_what_lies_beside_them(fetch):
    entry = CATALOGUE["KURE-v1"]
    folder = fetch(entry)
    revisions = [describe_folder(folder).revision]
    assert describe_folder(folder).revision == revisions[0]
    for name in ("onnx/model.onnx_data", "tokenizer.json", "onnx/model.onnx"):
        with (folder / name).open("ab") as stream:
            stream.write(b" ")
        revisions.append(describe_folder(folder).revision)
    assert len(set(revisions)) == 4


@pytest.mark.parametrize("missing", ["tokenizer.json", "onnx/model.onnx"])
def test_an_incomplete_folder_names_the_repository_and_the_commit(fetch, missing):
    entry = CATALOGUE["KURE-v1"]
    folder = fetch(entry)
    (folder / missing).unlink()
    with pytest.raises(ValueError, match=f"put the files of {entry.source} at {entry.revision} there"):
        load_model(folder, "fp32")


def test_a_graph_that_wants_a_cache_is_refused(fetch, monkeypatch):
    entry = CATALOGUE["gte-modernbert-base"]
    monkeypatch.setitem(EXTRA_INPUT, entry.name, "past_key_values.0.key")
    with pytest.raises(ValueError, match=r"wants \['past_key_values.0.key'\]: export it for feature extraction"):
        load_model(fetch(entry), "fp32")


def test_a_graph_without_a_hidden_state_is_refused(fetch):
    with pytest.raises(ValueError, match=r"gives \['logits'\], none of"):
        load_model(fetch(CATALOGUE["KURE-v1"], output="logits"), "fp32")


def test_a_device_that_the_runtime_lacks_is_refused(fetch, monkeypatch):
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ValueError, match=r"lacks CUDAExecutionProvider: set MODEL_DEVICE=cpu"):
        load_model(fetch(CATALOGUE["KURE-v1"]), "fp32", "cuda")


def test_a_device_that_does_not_start_is_not_replaced_in_silence(fetch, monkeypatch):
    folder = fetch(CATALOGUE["KURE-v1"])
    everything = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: everything)
    session = type("Session", (), {"get_providers": lambda self: everything[1:]})
    monkeypatch.setattr("onnxruntime.InferenceSession", lambda *_, **__: session())
    with pytest.raises(ValueError, match="CUDAExecutionProvider could not start"):
        load_model(folder, "fp32", "cuda")
