"""From one vector per token to one per text, for graphs that leave this to their caller.

Graphs that `build` made pool inside. Published ones end at the last hidden layer, and pooling one the wrong way gives
vectors that look right and find nothing, so the way comes from the catalogue and never from a guess.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def pool(hidden: Floats, mask: NDArray[np.int64], how: str) -> Floats:
    """Return unit vectors (texts × width) from hidden states (texts × tokens × width); mask is 0 for padding."""
    if how == "mean":
        return unit((hidden * mask[:, :, None]).sum(1) / np.maximum(mask.sum(1, keepdims=True), 1))
    rows = np.arange(len(hidden))
    if how == "cls":
        return unit(hidden[rows, mask.argmax(1)])
    if how == "last":  # counted from the end: padding may stand on either side
        return unit(hidden[rows, mask.shape[1] - 1 - mask[:, ::-1].argmax(1)])
    raise ValueError(f"pooling is {how!r}: use mean, cls or last")


def unit(vectors: NDArray[np.floating]) -> Floats:
    """Return the vectors with length 1; one of zeros stays as it is."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.where(lengths == 0, 1, lengths)).astype(np.float32)


def shorten(vector: Floats, dimensions: int | None) -> Floats:
    """Return the first `dimensions` numbers at length 1, for models trained to be cut; None: the vector itself."""
    return vector if dimensions in (None, len(vector)) else unit(vector[:dimensions])
