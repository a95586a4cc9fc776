"""From text to tokens to a vector."""

import numpy as np
import pytest
from coderag_embedding import model as models
from coderag_embedding.manifest import ModelFile, file_sha256, read_manifest
from coderag_embedding.model import load_model


def test_a_text_becomes_the_vector_of_its_tokens(model_factory):
    embedded = model_factory().embed("beta alpha beta")
    assert embedded.vector.tolist() == [0, 1, 2, 0]
    assert (embedded.tokens, embedded.truncated) == (5, False)


def test_a_prompt_goes_before_the_text(model_factory):
    assert model_factory().embed("alpha", "gamma ").vector.tolist() == [0, 1, 0, 1]


def test_a_text_that_just_fits_is_not_called_truncated(model_factory):
    assert not model_factory(max_tokens=5).embed("alpha beta gamma").truncated


def test_a_longer_text_is_cut_and_says_so(model_factory):
    embedded = model_factory(max_tokens=5).embed("alpha beta gamma alpha")
    assert embedded.truncated
    assert embedded.tokens == 5
    assert embedded.vector.tolist() == [0, 1, 1, 1]


@pytest.fixture
def folder(tmp_path, model_factory):
    """A model folder as the build step leaves one, with a session that is only pretended."""
    model = model_factory()
    model._tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "int8.onnx").write_bytes(b"graph")
    files = {
        name: ModelFile(file=name, sha256=file_sha256(tmp_path / name)) for name in ("tokenizer.json", "int8.onnx")
    }
    manifest = model.manifest.model_copy(
        update={"tokenizer": files["tokenizer.json"], "precisions": {"int8": files["int8.onnx"]}}
    )
    (tmp_path / "model.json").write_text(manifest.model_dump_json())
    return tmp_path


@pytest.fixture
def session(monkeypatch, model_factory):
    session = model_factory()._session
    monkeypatch.setattr(models, "open_session", lambda *_: session)
    return session


def test_a_folder_is_loaded_and_warmed(folder, session):
    assert load_model(folder, "int8").embed("alpha").vector.tolist() == [0, 1, 0, 0]


def test_an_unbuilt_folder_says_how_to_build_it(tmp_path):
    with pytest.raises(ValueError, match=r"model\.json is missing: build it with"):
        read_manifest(tmp_path)


def test_a_precision_that_was_not_built_is_named(folder, session):
    with pytest.raises(ValueError, match=r"holds \['int8'\], not fp32: set EMBEDDING_PRECISION"):
        load_model(folder, "fp32")


@pytest.mark.parametrize("name", ["int8.onnx", "tokenizer.json"])
def test_a_damaged_file_is_refused(folder, session, name):
    (folder / name).write_bytes(b"damaged")
    with pytest.raises(ValueError, match=rf"{name} does not have the checksum"):
        load_model(folder, "int8")


def test_a_missing_file_is_refused(folder, session):
    (folder / "int8.onnx").unlink()
    with pytest.raises(ValueError, match=r"int8\.onnx is missing"):
        load_model(folder, "int8")


def test_a_graph_of_another_length_is_refused(folder, session, monkeypatch):
    monkeypatch.setattr(session, "run", lambda *_: [np.zeros((1, 3), np.float32)], raising=False)
    with pytest.raises(ValueError, match="not 4"):
        load_model(folder, "int8")


def test_a_manifest_cannot_point_outside_its_folder():
    with pytest.raises(ValueError, match="file"):
        ModelFile(file="../secret", sha256="0" * 64)
