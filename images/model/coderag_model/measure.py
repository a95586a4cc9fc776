"""From the contents of a header to the geometry of the model: numbers by key, bytes by tensor, one against the other.

Pure. The defaults are those of llama.cpp (llama-model.cpp `load_hparams`).
"""

from collections.abc import Sequence

from coderag_model.architectures import Architecture, find_architecture, unsupported
from coderag_model.bounded import GgufError, Readable
from coderag_model.contents import MAX_TENSORS, Contents, read_contents
from coderag_model.geometry import Geometry
from coderag_model.header import architecture_of
from coderag_model.keys import Keys
from coderag_model.printable import shown
from coderag_model.splits import join
from coderag_model.tensors import CUDA, Allocator, Tensor, aligned
from coderag_model.weights import INPUT, OUTPUT, Weights, weigh

MAX_LAYERS = 512  # LLAMA_MAX_LAYERS


def read_geometry(*streams: Readable, allocator: Allocator = CUDA) -> Geometry:
    """Read the geometry from the start of each part of a model; raises GgufError(NotGguf | Truncated | Unsupported)."""
    parts: list[Contents] = []
    for stream in streams:
        parts.append(read_contents(stream, MAX_TENSORS - sum(len(part.tensors) for part in parts)))
    return measure(parts, allocator)


def measure(parts: Sequence[Contents], allocator: Allocator = CUDA) -> Geometry:
    """Return the geometry of a model of one or more parts."""
    values, tensors = join(parts)
    name = architecture_of(values)
    architecture = find_architecture(name, values)
    keys = Keys(name, values)
    layers = keys.one("block_count", most=MAX_LAYERS)
    weights = weigh(tensors, layers, allocator)
    embedding = keys.one("embedding_length")
    heads = keys.per_layer("attention.head_count", layers)
    heads_kv = keys.per_layer("attention.head_count_kv", layers, heads)
    key, value = _head_lengths(name, keys, embedding // heads[0])
    forward = keys.per_layer("feed_forward_length", layers)
    window, windowed = _window(keys, architecture, layers)
    _check_shapes(weights, embedding, forward, [(count * key, count * value) for count in heads_kv])
    tied = _is_tied(architecture, weights, name)
    return Geometry(
        architecture=name,
        layers=layers,
        embedding_length=embedding,
        feed_forward_length=max(forward),
        head_count=max(heads),
        head_count_kv=heads_kv,
        key_length=key,
        value_length=value,
        vocabulary=_matrix(weights, INPUT, embedding),
        context_length=keys.one("context_length"),
        sliding_window=window,
        sliding_layers=windowed,
        block_bytes=tuple(weights.blocks),
        largest_matrix_bytes=tuple(weights.largest),
        input_bytes=weights.input,
        output_bytes=weights.output + (weights.input if tied else 0),
        tied=tied,
    )


def end_of(contents: Contents) -> int:
    """Return how long a file must be for its tensors, which follow one another as gguf.cpp demands."""
    place = end = 0
    for tensor in contents.tensors:
        if tensor.offset != place:
            raise GgufError("NotGguf", f"the tensor {shown(tensor.name)!r} is at {tensor.offset} instead of {place}")
        end = place + tensor.size
        place = aligned(end, contents.alignment)
    return contents.data_start + end if contents.tensors else contents.header_size


def check_size(contents: Contents, size: int, name: str) -> None:
    """Raise Truncated if a file of this many bytes cannot hold its tensors."""
    needed = end_of(contents)
    if size < needed:
        raise GgufError("Truncated", f"{name}: {size} bytes, but its header and tensors need {needed}")


def _head_lengths(name: str, keys: Keys, default: int) -> tuple[int, int]:
    """Return the elements of one key and one value of one head, which must not depend on the layer."""
    lengths = keys.one("attention.key_length", default), keys.one("attention.value_length", default)
    windowed = (
        keys.one("attention.key_length_swa", lengths[0]),
        keys.one("attention.value_length_swa", lengths[1]),
    )
    if windowed != lengths:
        raise unsupported(name, "its heads differ in size between layers")
    if 0 in lengths:
        raise GgufError("NotGguf", "the heads have no elements: check attention.head_count and attention.key_length")
    return lengths


def _window(keys: Keys, architecture: Architecture, layers: int) -> tuple[int, tuple[bool, ...]]:
    """Return the sliding window in tokens and which layers see only that much, as `load_swa_pattern` decides it."""
    window = keys.one("attention.sliding_window", architecture.default_window) if architecture.window_period else 0
    if not window:
        return 0, (False,) * layers
    suffix = "attention.sliding_window_pattern"
    flags = keys.flags(suffix, layers)
    if flags is None:
        period = keys.one(suffix, architecture.window_period)
        flags = tuple(period == 0 or layer % period < period - 1 for layer in range(layers))
    return (window, flags) if any(flags) else (0, flags)


def _check_shapes(
    weights: Weights, embedding: int, forward: tuple[int, ...], key_values: list[tuple[int, int]]
) -> None:
    """Raise if the matrices do not have the sizes that the keys promise: the KV cache follows the keys."""
    for layer, (key, value) in enumerate(key_values):
        _check(weights, f"blk.{layer}.attn_k.weight", (embedding, key))
        _check(weights, f"blk.{layer}.attn_v.weight", (embedding, value))
        _check(weights, f"blk.{layer}.ffn_down.weight", (forward[layer], embedding))


def _check(weights: Weights, name: str, shape: tuple[int, int]) -> None:
    tensor = weights.by_name.get(name)
    if tensor is not None and _two(tensor) != shape:
        raise GgufError("NotGguf", f"the tensor {name!r} is {tensor.shape}, but its keys say {shape}")


def _matrix(weights: Weights, name: str, columns: int) -> int:
    """Return the rows of a matrix that must be there."""
    tensor = weights.by_name.get(name)
    if tensor is None:
        raise GgufError("NotGguf", f"the tensor {name!r} is missing")
    if _two(tensor)[0] != columns or not 0 < _two(tensor)[1] < 2**31:
        raise GgufError("NotGguf", f"the tensor {name!r} is {tensor.shape}, but its keys say {columns} columns")
    return _two(tensor)[1]


def _two(tensor: Tensor) -> tuple[int, int]:
    """Return columns and rows; further dimensions make more rows."""
    return tensor.row, tensor.elements // tensor.row if tensor.row else 0


def _is_tied(architecture: Architecture, weights: Weights, name: str) -> bool:
    """Tell whether the output is a duplicate of token_embd."""
    present = OUTPUT in weights.by_name
    if architecture.tied == "always" and present:
        raise unsupported(name, f"it has the tensor {OUTPUT!r}, which llama.cpp does not expect here")
    if architecture.tied == "never" and not present:
        raise GgufError("NotGguf", f"the tensor {OUTPUT!r} is missing")
    return not present
