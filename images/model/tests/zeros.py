"""Ends a model file of the real `gguf` writer with tensors that hold zeros."""

from collections.abc import Iterable

import gguf
import numpy
from gguf import GGMLQuantizationType as Type

Tensor = tuple[str, tuple[int, ...], Type]  # name, rows and columns, type


def write_zeros(writer: gguf.GGUFWriter, tensors: Iterable[Tensor]) -> dict[str, int]:
    """Write the file; give the bytes of its tensors by name, as the package counts them."""
    sizes = {}
    for name, shape, kind in tensors:
        raw = numpy.zeros(gguf.quant_shape_to_byte_shape(shape, kind), dtype=numpy.uint8)
        writer.add_tensor(name, raw, raw_dtype=kind)
        sizes[name] = raw.nbytes
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return sizes
