"""One entry of the tensor table, its bytes in the file and the bytes that llama.cpp allocates for it."""

from dataclasses import dataclass

from coderag_model.bounded import GgufError
from coderag_model.printable import shown
from coderag_model.quantisation import TYPES, Type


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor as the header states it; dimensions are innermost first, the offset is from the start of the data."""

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int

    @property
    def elements(self) -> int:
        """Return the number of weights."""
        product = 1
        for length in self.shape:
            product *= length
        return product

    @property
    def row(self) -> int:
        """Return the elements of one row; a tensor without dimensions is one element, as in ggml."""
        return self.shape[0] if self.shape else 1

    @property
    def type(self) -> Type:
        """Return the type; raises Unsupported for one that this version does not know."""
        found = TYPES.get(self.kind)
        if found is None:
            raise GgufError("Unsupported", f"the tensor {shown(self.name)!r} has the unknown type {self.kind}")
        return found

    @property
    def size(self) -> int:
        """Return the bytes in the file (ggml_nbytes); rows are whole blocks, as gguf.cpp demands."""
        if self.row % self.type.block:
            raise GgufError(
                "NotGguf",
                f"the tensor {shown(self.name)!r} has rows of {self.row}, no multiple of the {self.type.block} "
                f"elements of a {self.type.name} block",
            )
        return self.type.bytes_of(self.elements)


@dataclass(frozen=True, slots=True)
class Allocator:
    """How a backend's buffer type lays tensors out: `ggml_backend_alloc_ctx_tensors_from_buft` pads each of them."""

    alignment: int  # bytes
    row_padding: int  # elements; the last row of a quantised matrix is made up to a multiple of it

    def bytes_of(self, tensor: Tensor) -> int:
        """Return what the tensor takes in a buffer."""
        size, rest = tensor.size, tensor.row % self.row_padding
        if tensor.type.is_quantised and rest:
            size += tensor.type.bytes_of(self.row_padding - rest)
        return aligned(size, self.alignment)


CUDA = Allocator(alignment=128, row_padding=512)  # ggml-cuda.cu get_alignment, get_alloc_size; MATRIX_ROW_PADDING
CPU = Allocator(alignment=32, row_padding=1)  # ggml-impl.h TENSOR_ALIGNMENT; without repacking


def aligned(size: int, alignment: int) -> int:
    """Return the next multiple of the alignment (GGML_PAD)."""
    return -(-size // alignment) * alignment
