"""What a model server takes of the GPU, roughly: enough to tell which of two changes frees memory and goes first."""

from coderag_operator.api.servers import LlamaCpp
from coderag_operator.desired import ModelFact

MIB = 1024 * 1024
BYTES = {"f16": 2.0, "q8_0": 34 / 32}  # a block of 32 values at 8 bits carries a 16-bit scale


def reckon(server: LlamaCpp, fact: ModelFact | None) -> int:
    """Return weights and key-value cache in MiB, 0 where the file is not known.

    KV = 2 x layers x tokens x KV heads x head size x bytes (reference/gpu.md 1.2); layers on the CPU are left out.
    """
    if fact is None:
        return 0
    layers, heads, kv_heads, width = (
        int(fact.header.get(name) or 0) for name in ("layers", "headCount", "headCountKv", "embeddingLength")
    )
    tokens = server.context_tokens * server.parallel
    cache = 2 * layers * tokens * kv_heads * (width / heads if heads else 0) * BYTES[server.kv_cache_type]
    share = min(1.0, float(server.gpu_layers) / layers) if server.gpu_layers != "All" and layers else 1.0
    return int((fact.size_bytes + cache) * share / MIB)
