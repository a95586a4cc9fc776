"""The models that plans are tested with are as large as the published files."""

import pytest
from coderag_model.geometry import Geometry
from tests.support.published_models import CHAT_3B, CODE_7B

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("geometry", "blocks", "full", "smallest", "largest", "embedding"),
    [(CHAT_3B, 1591.4, 1834.8, 41.4, 47.0, 243.4), (CODE_7B, 3741.7, 4168.1, 125.1, 142.2, 292.4)],
    ids=["Qwen2.5-3B", "Qwen2.5-Coder-7B"],
)
def test_a_published_model_has_its_published_sizes(
    geometry: Geometry, blocks: float, full: float, smallest: float, largest: float, embedding: float
) -> None:
    sizes = geometry.block_bytes
    found = [sum(sizes), sum(sizes) + geometry.output_bytes, min(sizes), max(sizes), geometry.input_bytes]
    assert [round(size / MIB, 1) for size in found] == [blocks, full, smallest, largest, embedding]


def test_half_of_the_blocks_are_the_larger_ones() -> None:
    for geometry in (CHAT_3B, CODE_7B):
        assert geometry.block_bytes.count(max(geometry.block_bytes)) == geometry.layers / 2
