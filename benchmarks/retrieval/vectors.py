"""Vectors of texts, computed by the embedding service's own model and kept on disk: a rerun costs nothing.

The key is the text and the model's revision, so whoever changes a header or a chunk pays for what changed only.
"""

import hashlib
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from coderag_embedding.build import NAME, ensure_model
from coderag_embedding.model import Model, load_model
from numpy.typing import NDArray

Matrix = NDArray[np.float32]
_PART = 64  # texts between two commits: what an interrupted run loses


class Vectors:
    """The int8 model of the image and everything that it has embedded so far."""

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._model = load_model(ensure_model() / NAME, "int8")
        manifest = self._model.manifest
        self.name = f"{manifest.name} {manifest.revision[:12]} {self._model.precision}"
        self._prompts = {"passage": manifest.passage_prompt, "query": manifest.query_prompt}
        self._threads = threads or os.cpu_count() or 1
        self._database = sqlite3.connect(folder / f"vectors-{manifest.revision[:16]}-int8.sqlite", timeout=120)
        self._database.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID")

    def of(self, texts: Sequence[str], role: str = "passage", label: str = "") -> Matrix:
        """Return one unit vector for each text, rows in order; progress goes to standard error."""
        prompted = [self._prompts[role] + text for text in texts]
        keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in prompted]
        missing = {key: text for key, text in zip(keys, prompted, strict=True) if not self._known(key)}
        self._embed(list(missing.items()), _progress(label, len(missing)))
        rows = [np.frombuffer(self._known(key) or b"", np.float32) for key in keys]
        return np.array(rows, np.float32).reshape(len(rows), -1)

    def _known(self, key: bytes) -> bytes | None:
        found = self._database.execute("SELECT vector FROM vectors WHERE key = ?", (key,)).fetchone()
        return found[0] if found else None

    def _embed(self, missing: Sequence[tuple[bytes, str]], progress: Callable[[int], None]) -> None:
        with ThreadPoolExecutor(self._threads) as pool:
            for start in range(0, len(missing), _PART):
                part = missing[start : start + _PART]
                vectors = pool.map(lambda row: _embed_one(self._model, row[1]), part)
                rows = [(key, vector) for (key, _), vector in zip(part, vectors, strict=True)]
                self._database.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)
                self._database.commit()
                progress(start + len(part))


def _embed_one(model: Model, text: str) -> bytes:
    return np.asarray(model.embed(text).vector, np.float32).tobytes()


def _progress(label: str, total: int) -> Callable[[int], None]:
    started = time.monotonic()

    def show(done: int) -> None:
        if done == total or done % (_PART * 16) == 0:
            rate = done / max(time.monotonic() - started, 1e-6)
            sys.stderr.write(f"  {label}: {done} of {total} texts embedded, {rate:.1f} a second\n")
            sys.stderr.flush()

    return show
