"""What memory planning needs of a GGUF model, and its JSON form.

Separate because it is what travels: the fetch Job reports it, the operator keeps and plans with it. Nothing here reads
a file: `coderag_model.opening.open_geometry` does.
"""

from dataclasses import dataclass
from typing import Any

from coderag_model.runs import from_runs, to_runs

MAX_LAYERS = 1024
MAX_NUMBER = 2**53 - 1  # what every JSON reader keeps exact

NUMBERS = {
    "layers": "layers",
    "embeddingLength": "embedding_length",
    "feedForwardLength": "feed_forward_length",
    "headCount": "head_count",
    "keyLength": "key_length",
    "valueLength": "value_length",
    "vocabulary": "vocabulary",
    "contextLength": "context_length",
    "slidingWindow": "sliding_window",
    "inputBytes": "input_bytes",
    "outputBytes": "output_bytes",
}
PER_LAYER = {
    "headCountKv": "head_count_kv",
    "slidingLayers": "sliding_layers",
    "blockBytes": "block_bytes",
    "largestMatrixBytes": "largest_matrix_bytes",
}


@dataclass(frozen=True, slots=True)
class Geometry:
    """What memory planning needs of a GGUF model; bytes are bytes on a device."""

    architecture: str
    layers: int  # block_count = n_layer
    embedding_length: int  # E
    feed_forward_length: int  # F, the largest of the layers
    head_count: int  # H, the largest of the layers
    head_count_kv: tuple[int, ...]  # Hkv of each layer
    key_length: int  # dk, elements of one key of one head
    value_length: int  # dv, elements of one value of one head
    vocabulary: int  # V, rows of token_embd
    context_length: int  # tokens that the model was trained on
    sliding_window: int  # tokens, 0: none
    sliding_layers: tuple[bool, ...]  # True where a layer sees only the window
    block_bytes: tuple[int, ...]  # weights of blk.i.*, padded as llama.cpp allocates them
    largest_matrix_bytes: tuple[int, ...]  # the largest single weight of each block
    input_bytes: int  # token_embd and what else of the input stays on the host
    output_bytes: int  # output (or the duplicate of token_embd), output_norm and what else goes with it
    tied: bool  # output is a duplicate of token_embd

    def to_json(self) -> dict[str, Any]:
        """Return camelCase names; what has a value per layer becomes runs, so that 80 layers stay below 3 KiB."""
        numbers = {name: getattr(self, field) for name, field in NUMBERS.items()}
        runs = {name: to_runs([int(value) for value in getattr(self, field)]) for name, field in PER_LAYER.items()}
        return {"architecture": self.architecture, **numbers, **runs, "tied": self.tied}

    @classmethod
    def from_json(cls, document: Any) -> "Geometry":
        """Return the geometry of what `to_json` wrote; ValueError names the field that is wrong."""
        if not isinstance(document, dict):
            raise ValueError("a geometry is an object")
        fields: dict[str, Any] = {field: _number(document, name) for name, field in NUMBERS.items()}
        layers = fields["layers"]
        if not 0 < layers <= MAX_LAYERS:
            raise ValueError(f"layers: {layers} is not in 1..{MAX_LAYERS}")
        for name, field in PER_LAYER.items():
            fields[field] = from_runs(document.get(name), layers, MAX_NUMBER, name)
        fields["sliding_layers"] = _flags(fields["sliding_layers"])
        return cls(architecture=_text(document, "architecture"), tied=_flag(document, "tied"), **fields)


def _number(document: dict[str, Any], name: str) -> int:
    value = document.get(name)
    if type(value) is not int or not 0 <= value <= MAX_NUMBER:  # bool is an int, but not a number here
        raise ValueError(f"{name}: a whole number from 0 to {MAX_NUMBER} is needed")
    return value


def _flags(values: tuple[int, ...]) -> tuple[bool, ...]:
    if not set(values) <= {0, 1}:
        raise ValueError("slidingLayers: only 0 and 1 are possible")
    return tuple(map(bool, values))


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 128:
        raise ValueError(f"{name}: a text of 1 to 128 letters is needed")
    return value


def _flag(document: dict[str, Any], name: str) -> bool:
    value = document.get(name)
    if not isinstance(value, bool):
        raise ValueError(f"{name}: true or false is needed")
    return value
