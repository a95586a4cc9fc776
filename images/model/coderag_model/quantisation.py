"""How many bytes the weights of each type take: ggml's table of block sizes (ggml.h, ggml-common.h).

A test holds the table against the `gguf` package. Types that were removed from the format are not in it.
"""

from dataclasses import dataclass

K = 256  # QK_K, the super-block of the k-quants and i-quants


@dataclass(frozen=True, slots=True)
class Type:
    """A type of weights: `block` elements take `size` bytes."""

    name: str
    block: int
    size: int

    @property
    def is_quantised(self) -> bool:
        """Tell whether several elements share a block, as ggml_is_quantized does."""
        return self.block > 1

    def bytes_of(self, elements: int) -> int:
        """Return the bytes of whole blocks of elements."""
        return elements // self.block * self.size


TYPES = {
    number: Type(name, block, size)
    for number, name, block, size in (
        (0, "F32", 1, 4), (1, "F16", 1, 2), (30, "BF16", 1, 2), (28, "F64", 1, 8),
        (24, "I8", 1, 1), (25, "I16", 1, 2), (26, "I32", 1, 4), (27, "I64", 1, 8),
        (2, "Q4_0", 32, 18), (3, "Q4_1", 32, 20), (6, "Q5_0", 32, 22), (7, "Q5_1", 32, 24),
        (8, "Q8_0", 32, 34), (9, "Q8_1", 32, 36),
        (10, "Q2_K", K, 84), (11, "Q3_K", K, 110), (12, "Q4_K", K, 144), (13, "Q5_K", K, 176),
        (14, "Q6_K", K, 210), (15, "Q8_K", K, 292),
        (16, "IQ2_XXS", K, 66), (17, "IQ2_XS", K, 74), (22, "IQ2_S", K, 82), (18, "IQ3_XXS", K, 98),
        (21, "IQ3_S", K, 110), (19, "IQ1_S", K, 50), (29, "IQ1_M", K, 56), (20, "IQ4_NL", 32, 18),
        (23, "IQ4_XS", K, 136), (34, "TQ1_0", K, 54), (35, "TQ2_0", K, 66),
        (39, "MXFP4", 32, 17), (40, "NVFP4", 64, 36), (41, "Q1_0", 128, 18), (42, "Q2_0", 64, 18),
    )
}  # fmt: skip
