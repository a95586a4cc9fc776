"""What a model folder holds, whether `build` made it or somebody fetched it from the publisher.

A built folder has model.json. A fetched one has the publisher's layout (tokenizer.json, and model.onnx beside it or in
onnx/), so its description comes from the catalogue and its revision from the bytes that are there: an index must
notice other weights, whoever put them there under the same name.
"""

import hashlib
from pathlib import Path

from coderag_embedding.catalogue import CATALOGUE, Entry
from coderag_embedding.manifest import FILE_NAME, Manifest, ModelFile, Precision, file_sha256, read_manifest

TOKENIZER = "tokenizer.json"
WEIGHTS: dict[Precision, tuple[str, ...]] = {
    "fp32": ("model.onnx", "onnx/model.onnx"),
    "int8": ("model_int8.onnx", "model_quantized.onnx", "onnx/model_int8.onnx", "onnx/model_quantized.onnx"),
}
POOLING_VERSION = "1"  # raise it whenever session.py or pooling.py compute different vectors


def describe_folder(folder: Path) -> Manifest:
    """Return what the folder holds, or raise ValueError that says what to put there."""
    entry = CATALOGUE.get(folder.name)
    if entry is None or (folder / FILE_NAME).is_file() or not folder.is_dir():
        return read_manifest(folder)
    found = {precision: _find(folder, names) for precision, names in WEIGHTS.items()}
    weights = {precision: name for precision, name in found.items() if name}
    if not weights or not (folder / TOKENIZER).is_file():
        raise ValueError(_what_is_missing(folder, entry))
    return _manifest(folder, entry, weights)


def _find(folder: Path, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if (folder / name).is_file()), None)


def _what_is_missing(folder: Path, entry: Entry) -> str:
    return (
        f"{folder} has neither {FILE_NAME} nor {TOKENIZER} with model.onnx or onnx/model.onnx, or not both: "
        f"put the files of {entry.source} at {entry.revision} there"
    )


def _manifest(folder: Path, entry: Entry, weights: dict[Precision, str]) -> Manifest:
    tokenizer = _file(folder, TOKENIZER)
    precisions = {precision: _file(folder, name) for precision, name in weights.items()}
    return Manifest(
        name=entry.name, revision=_revision(folder, entry, [tokenizer, *precisions.values()]),
        dimensions=entry.dimensions, max_tokens=entry.max_tokens, pooling=entry.pooling,
        query_prompt=entry.query_prompt, passage_prompt=entry.passage_prompt, shortest=entry.shortest,
        tokenizer=tokenizer, precisions=precisions,
    )  # fmt: skip


def _file(folder: Path, name: str) -> ModelFile:
    return ModelFile(file=name, sha256=file_sha256(folder / name))


def _revision(folder: Path, entry: Entry, files: list[ModelFile]) -> str:
    """Weights over 2 GiB lie in files beside the graph (model.onnx_data, model.onnx.data): those count too."""
    parts = [POOLING_VERSION, entry.revision]
    for file in files:
        beside = sorted((folder / file.file).parent.glob(f"{Path(file.file).name}?*"))
        parts += [file.sha256, *(file_sha256(path) for path in beside if path.is_file())]
    return hashlib.sha256(":".join(parts).encode()).hexdigest()[:16]
