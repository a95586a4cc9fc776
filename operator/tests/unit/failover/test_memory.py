"""What a server takes is reckoned from its file and its context; the change that frees memory goes first."""

import pytest
from coderag_operator.desired import ModelFact
from coderag_operator.desired.references import local_servers
from coderag_operator.desired.settled import settle
from coderag_operator.failover.memory import MIB, reckon
from tests.specs import make_stack, nest

HEADER = {"layers": 28, "headCount": 28, "headCountKv": 4, "embeddingLength": 3584}
FACT = ModelFact("claim", 4000 * MIB, HEADER)


def server(**fields: object):
    patches = [nest(f"models.code.llamaCpp.{name}", value) for name, value in fields.items()]
    return local_servers(settle(make_stack(*patches), {}, on_gpu=True))["code"]


def test_weights_and_cache_are_added():
    # 2 x 28 layers x 8192 tokens x 4 heads x 128 x 2 bytes = 448 MiB
    assert reckon(server(contextTokens=4096, parallel=2), FACT) == 4448


def test_a_smaller_cache_type_and_fewer_layers_take_less():
    full = reckon(server(), FACT)
    assert reckon(server(kvCacheType="q8_0"), FACT) == pytest.approx(4000 + 448 * 17 / 32, abs=1)
    assert reckon(server(gpuLayers=14), FACT) == full // 2
    assert reckon(server(gpuLayers=0), FACT) == 0
    assert reckon(server(gpuLayers=99), FACT) == full


@pytest.mark.parametrize(("fact", "wanted"), [(None, 0), (ModelFact("claim", 10 * MIB), 10)])
def test_a_file_that_nobody_has_read_counts_as_far_as_it_is_known(fact: ModelFact | None, wanted: int):
    assert reckon(server(), fact) == wanted
