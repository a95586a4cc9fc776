"""Vectors for filling an index without a model: a fixed random projection of a chunk's tokens.

Embedding 100,000 chunks takes about 50 minutes of processor time, and a search does not care where a vector came from:
its cost follows from their number and dimensions, and from like texts lying near each other, which holds here.
What is found by them means nothing, so nothing about quality may be read from such an index.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_BUCKETS = 4096


class Projection:
    """Turns weighted token ids into unit vectors of so many dimensions."""

    def __init__(self, dimensions: int, seed: int = 1) -> None:
        draw = np.random.default_rng(seed)
        self._rows: NDArray[np.float32] = draw.standard_normal((_BUCKETS, dimensions), np.float32)

    def vector(self, indices: Sequence[int], values: Sequence[float]) -> list[float]:
        """Return the vector of a text, given its tokens and their weights; there must be at least one."""
        rows = np.asarray(indices, np.int64) % _BUCKETS
        total = np.asarray(values, np.float32) @ self._rows[rows]
        # Five digits are what an int8 model is good for, and half of what full ones take on the wire.
        return np.round(total / np.linalg.norm(total), 5).tolist()
