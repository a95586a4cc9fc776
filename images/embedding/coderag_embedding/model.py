"""One loaded model: a tokenizer and an ONNX session, and how a text becomes a vector.

On a CPU texts are embedded one at a time: there a batch is no faster, padding makes it slower, and dynamic quantisation
takes its scale from the whole batch. Alone, a text has the same vector whoever else is asking.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from coderag_embedding.folder import describe_folder
from coderag_embedding.manifest import Manifest, Precision
from coderag_embedding.session import POOLED, Device, Session, open_session


@dataclass(frozen=True)
class Embedded:
    """A vector and what it cost."""

    vector: NDArray[np.float32]
    tokens: int
    truncated: bool


class Model:
    """Text to vector. Safe to call from many threads at once. `folder`: where another process can load it too."""

    def __init__(
        self,
        manifest: Manifest,
        precision: Precision,
        tokenizer: Tokenizer,
        session: Session,
        folder: Path | None = None,
    ) -> None:
        tokenizer.no_padding()
        tokenizer.enable_truncation(manifest.max_tokens)
        self.manifest = manifest
        self.precision = precision
        self.folder = folder
        self._tokenizer = tokenizer
        self._session = session

    def embed(self, text: str, prompt: str = "") -> Embedded:
        """Return the normalised vector of one text, cut to the model's length."""
        return self._run([self._tokenizer.encode(prompt + text)])[0]

    def embed_together(self, texts: Sequence[str], most_tokens: int) -> list[Embedded]:
        """Return vectors in order, computed in padded batches of at most `most_tokens`: what a GPU is fast at.

        Sorted by length first, so that padding is short. A single text goes alone, however long it is.
        """
        encodings = self._tokenizer.encode_batch(list(texts))
        results: dict[int, Embedded] = {}
        for group in _groups([len(one.ids) for one in encodings], most_tokens):
            results |= zip(group, self._run([encodings[n] for n in group]), strict=True)
        return [results[n] for n in range(len(texts))]

    def _run(self, encodings: Sequence[Encoding]) -> list[Embedded]:
        longest = max(len(one.ids) for one in encodings)
        feed = {
            "input_ids": _padded([one.ids for one in encodings], longest),
            "attention_mask": _padded([one.attention_mask for one in encodings], longest),
        }
        (vectors,) = self._session.run([POOLED], feed)
        return [
            Embedded(vector, tokens=len(one.ids), truncated=bool(one.overflowing))
            for vector, one in zip(vectors, encodings, strict=True)
        ]


def _padded(rows: Sequence[Sequence[int]], length: int) -> NDArray[np.int64]:
    """Rows side by side, zeros behind the shorter ones; the mask's zeros make the ids' zeros meaningless."""
    return np.array([[*row, *([0] * (length - len(row)))] for row in rows], np.int64)


def _groups(lengths: Sequence[int], most_tokens: int) -> list[list[int]]:
    """Return positions, shortest text first, in groups whose longest text times their number fits."""
    groups: list[list[int]] = []
    for n in sorted(range(len(lengths)), key=lengths.__getitem__):
        if groups and (len(groups[-1]) + 1) * lengths[n] <= most_tokens:
            groups[-1].append(n)
        else:
            groups.append([n])
    return groups


def load_model(folder: Path, precision: Precision, device: Device = "cpu") -> Model:
    """Load a model folder, checksums verified, and run it once; ValueError with a remedy when it cannot be used."""
    manifest = describe_folder(folder)
    if precision not in manifest.precisions:
        raise ValueError(f"{folder} holds {sorted(manifest.precisions)}, not {precision}: set EMBEDDING_PRECISION")
    weights = manifest.precisions[precision].verify(folder)
    tokenizer = Tokenizer.from_file(str(manifest.tokenizer.verify(folder)))
    model = Model(manifest, precision, tokenizer, open_session(weights, manifest.pooling, device), folder)
    warmed = model.embed("warm up")
    if warmed.vector.shape != (manifest.dimensions,):
        raise ValueError(f"{weights} gives vectors of shape {warmed.vector.shape}, not {manifest.dimensions}")
    return model
