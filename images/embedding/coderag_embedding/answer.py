"""OpenAI's answer from vectors."""

import base64
from collections.abc import Sequence

import numpy as np
from pydantic_core import to_json

from coderag_embedding.model import Embedded


def render_answer(model: str, results: Sequence[Embedded], encoding: str) -> bytes:
    """Return the JSON body, with `truncated` listing the inputs of which only the beginning was read."""
    encode = _base64 if encoding == "base64" else _floats
    data = [{"object": "embedding", "index": n, "embedding": encode(one.vector)} for n, one in enumerate(results)]
    tokens = sum(one.tokens for one in results)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    truncated = [n for n, one in enumerate(results) if one.truncated]
    return to_json({"object": "list", "data": data, "model": model, "usage": usage, "truncated": truncated})


def _floats(vector: np.ndarray) -> list[float]:
    return vector.tolist()


def _base64(vector: np.ndarray) -> str:
    """Little-endian 32-bit floats, which is what the official client asks for and decodes."""
    return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")
