"""One loaded model: a tokenizer and an ONNX session, and how a text becomes a vector.

Texts are embedded one at a time. On a CPU a batch is no faster, padding makes it slower, and dynamic quantisation takes
its scale from the whole batch: alone, a text has the same vector whoever else is asking.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from tokenizers import Tokenizer

from coderag_embedding.manifest import Manifest, Precision, read_manifest

# On a CPU the fused kernel takes twice the time of the two that it replaces.
SLOW_FUSIONS = ["SkipLayerNormFusion"]


@dataclass(frozen=True)
class Embedded:
    """A vector and what it cost."""

    vector: NDArray[np.float32]
    tokens: int
    truncated: bool


class Session(Protocol):
    """The part of an ONNX session that is used here."""

    def run(self, outputs: list[str], feed: dict[str, NDArray[np.int64]]) -> list[NDArray[np.float32]]:
        """Compute the named outputs."""
        ...


class Model:
    """Text to vector. Safe to call from many threads at once."""

    def __init__(self, manifest: Manifest, precision: Precision, tokenizer: Tokenizer, session: Session) -> None:
        tokenizer.no_padding()
        tokenizer.enable_truncation(manifest.max_tokens)
        self.manifest = manifest
        self.precision = precision
        self._tokenizer = tokenizer
        self._session = session

    def embed(self, text: str, prompt: str = "") -> Embedded:
        """Return the normalised vector of one text, cut to the model's length."""
        encoding = self._tokenizer.encode(prompt + text)
        feed = {
            "input_ids": np.array([encoding.ids], np.int64),
            "attention_mask": np.array([encoding.attention_mask], np.int64),
        }
        (vectors,) = self._session.run(["sentence_embedding"], feed)
        return Embedded(vectors[0], tokens=len(encoding.ids), truncated=bool(encoding.overflowing))


def load_model(folder: Path, precision: Precision) -> Model:
    """Load a model folder, checksums verified, and run it once; ValueError with a remedy when it cannot be used."""
    manifest = read_manifest(folder)
    if precision not in manifest.precisions:
        raise ValueError(f"{folder} holds {sorted(manifest.precisions)}, not {precision}: set EMBEDDING_PRECISION")
    weights = manifest.precisions[precision].verify(folder)
    tokenizer = Tokenizer.from_file(str(manifest.tokenizer.verify(folder)))
    model = Model(manifest, precision, tokenizer, open_session(weights))
    warmed = model.embed("warm up")
    if warmed.vector.shape != (manifest.dimensions,):
        raise ValueError(f"{weights} gives vectors of shape {warmed.vector.shape}, not {manifest.dimensions}")
    return model


def open_session(weights: Path, threads: int = 1) -> ort.InferenceSession:
    """Open an ONNX file on the CPU. One thread each: parallelism is across texts, decided by the lanes."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return ort.InferenceSession(
        str(weights), options, providers=["CPUExecutionProvider"], disabled_optimizers=SLOW_FUSIONS
    )
