"""Where llama.cpp puts each weight, and how many bytes come together there.

A layer's weights go where the layer goes, `token_embd` stays on the host, the output goes as one (llama-model.cpp
`load_tensors`; llama-arch.cpp `LLM_TENSOR_INFOS`). A tensor that no place is known for is refused, as llama.cpp does.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from coderag_model.bounded import GgufError
from coderag_model.printable import shown
from coderag_model.tensors import Allocator, Tensor

BLOCK = re.compile(r"blk\.(\d{1,4})\..+")
INPUT = "token_embd.weight"
OUTPUT = "output.weight"
WITH_OUTPUT = re.compile(r"output(_norm)?\.(weight|bias|scale|input_scale)")
# One copy per device that has layers; some hundred bytes, counted where a device always has something.
ROPE = re.compile(r"rope_(freqs|factors_long|factors_short)\.weight")


@dataclass
class Weights:
    """Bytes as a backend allocates them."""

    blocks: list[int]
    largest: list[int]  # the largest single tensor of each block
    input: int = 0
    output: int = 0
    by_name: dict[str, Tensor] = field(default_factory=dict)


def weigh(tensors: Iterable[Tensor], layers: int, allocator: Allocator) -> Weights:
    """Return the bytes of each place; raises GgufError for a tensor without one and for a block without tensors."""
    found = Weights([0] * layers, [0] * layers)
    for tensor in tensors:
        _place(tensor, found, allocator.bytes_of(tensor))
        found.by_name[tensor.name] = tensor
    if 0 in found.blocks:
        raise GgufError("NotGguf", f"the layer {found.blocks.index(0)} of {layers} has no tensors")
    return found


def _place(tensor: Tensor, found: Weights, size: int) -> None:
    block = BLOCK.fullmatch(tensor.name)
    if block and int(block[1]) < len(found.blocks):
        found.blocks[int(block[1])] += size
        found.largest[int(block[1])] = max(found.largest[int(block[1])], size)
    elif tensor.name == INPUT:
        found.input += size
    elif WITH_OUTPUT.fullmatch(tensor.name) or ROPE.fullmatch(tensor.name):
        found.output += size
    else:
        raise GgufError("Unsupported", f"the tensor {shown(tensor.name)!r} is none that this architecture is known for")
