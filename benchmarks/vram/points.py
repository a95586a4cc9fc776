"""The points that are compared: how a server can be started, a few of them or all."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product


@dataclass(frozen=True, slots=True)
class Point:
    """How a server is started; the context is that of one slot."""

    context_tokens: int
    slots: int
    ubatch: int
    kv_type: str


TOTALS = (2048, 4096, 8192, 16384, 32768)  # tokens of all slots together
SLOTS = (1, 2, 4, 8)
UBATCHES = (128, 256, 512, 1024)
KV_TYPES = ("f16", "q8_0")
FEW = (
    (2048, 1, 512, "f16"),
    (2048, 8, 1024, "q8_0"),
    (4096, 1, 128, "q8_0"),
    (4096, 2, 256, "f16"),
    (4096, 4, 512, "f16"),
    (8192, 1, 1024, "f16"),
    (8192, 8, 128, "f16"),
    (16384, 1, 256, "q8_0"),
    (16384, 4, 512, "q8_0"),
    (32768, 1, 512, "f16"),
    (32768, 2, 1024, "q8_0"),
    (32768, 8, 128, "q8_0"),
)


def few() -> Iterator[Point]:
    """Yield points that touch every value of each setting, the corners among them."""
    for total, slots, ubatch, kv_type in FEW:
        yield Point(total // slots, slots, ubatch, kv_type)


def all_points() -> Iterator[Point]:
    """Yield every combination."""
    for total, slots, ubatch, kv_type in product(TOTALS, SLOTS, UBATCHES, KV_TYPES):
        yield Point(total // slots, slots, ubatch, kv_type)
