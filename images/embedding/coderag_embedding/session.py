"""Open an ONNX file on a device, whatever its publisher named its inputs and outputs.

Behind this module every graph takes `input_ids` and `attention_mask` and gives `sentence_embedding`.
"""

from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from coderag_embedding.pooling import pool

Device = Literal["cpu", "cuda"]
Ids = NDArray[np.int64]
PROVIDERS: dict[Device, str] = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
# On a CPU the fused kernel takes twice the time of the two that it replaces.
SLOW_FUSIONS = ["SkipLayerNormFusion"]
POOLED = "sentence_embedding"
HIDDEN = ("last_hidden_state", "token_embeddings")
DERIVED = {"token_type_ids", "position_ids"}


class Session(Protocol):
    """The part of an ONNX session that is used elsewhere."""

    def run(self, outputs: list[str], feed: dict[str, Ids]) -> list[NDArray[np.float32]]:
        """Compute the named outputs."""
        ...


class Pooled:
    """A published graph, with the inputs that it also wants and the pooling that it leaves out."""

    def __init__(self, session: Any, pooling: str, path: Path) -> None:
        self._session = session
        self._pooling = pooling
        self._hidden = _hidden_output([output.name for output in session.get_outputs()], path)
        self._inputs = {given.name for given in session.get_inputs()}
        if unknown := self._inputs - DERIVED - {"input_ids", "attention_mask"}:
            raise ValueError(f"{path} wants {sorted(unknown)}: export it for feature extraction, without a cache")

    def run(self, outputs: list[str], feed: dict[str, Ids]) -> list[NDArray[np.float32]]:
        """Return [unit vectors]; `outputs` is what every session of this service is asked for."""
        mask = feed["attention_mask"]
        derived = {"token_type_ids": np.zeros_like(mask), "position_ids": np.maximum(mask.cumsum(1) - 1, 0)}
        every = feed | derived
        (hidden,) = self._session.run([self._hidden], {name: every[name] for name in self._inputs})
        return [pool(hidden, mask, self._pooling)]


def open_session(weights: Path, pooling: str, device: Device = "cpu") -> Session:
    """Open a graph. One thread each on a CPU: parallelism is across texts, decided by the lanes."""
    provider = PROVIDERS[device]
    if provider not in ort.get_available_providers():
        raise ValueError(f"MODEL_DEVICE is {device!r}, and this onnxruntime lacks {provider}: set MODEL_DEVICE=cpu")
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(str(weights), options, providers=[provider], disabled_optimizers=SLOW_FUSIONS)
    if provider not in session.get_providers():  # the library falls back to the CPU and only logs it
        raise ValueError(f"{provider} could not start: see the log for the library that is missing, or use cpu")
    pooled = POOLED in {output.name for output in session.get_outputs()}
    return session if pooled else Pooled(session, pooling, weights)


def _hidden_output(names: list[str], path: Path) -> str:
    for name in HIDDEN:
        if name in names:
            return name
    raise ValueError(f"{path} gives {names}, none of {[POOLED, *HIDDEN]}: export it for feature extraction")
