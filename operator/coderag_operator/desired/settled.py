"""A stack with nothing left open: what the spec leaves to the VRAM plan is filled in before anything is built from it.

Every builder, the failover and the prober work on a settled stack, so that none of them has to know about the plan.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from coderag_operator.api import Stack
from coderag_operator.api.servers import LlamaCpp, ModelServer
from coderag_operator.vram.search import KV_TYPES, UBATCHES
from coderag_operator.vram.terms import Shape


def settle(stack: Stack, shapes: Mapping[str, Shape], on_gpu: bool) -> Stack:
    """Return the stack with the planned shape of each role's server; a role without a plan gets what Auto means then.

    Settling a settled stack changes nothing.
    """
    models = stack.spec.models
    settled = {role: _server(getattr(models, role), shapes.get(role), on_gpu) for role in ("chat", "code")}
    spec = stack.spec.model_copy(update={"models": models.model_copy(update=settled)})
    return replace(stack, spec=spec)


def _server(server: ModelServer, shape: Shape | None, on_gpu: bool) -> ModelServer:
    local = server.llama_cpp
    if local is None:
        return server
    values = _unplanned(local, on_gpu) if shape is None else _planned(shape)
    return server.model_copy(update={"llama_cpp": local.model_copy(update=values)})


def _planned(shape: Shape) -> dict[str, Any]:
    return {
        "gpu_layers": shape.gpu_layers, "context_tokens": shape.context_tokens, "parallel": shape.slots,
        "kv_cache_type": shape.kv_type, "ubatch_tokens": shape.ubatch,
    }  # fmt: skip


def _unplanned(server: LlamaCpp, on_gpu: bool) -> dict[str, Any]:
    layers = "All" if server.gpu_layers == "Auto" else server.gpu_layers
    return {
        "gpu_layers": layers if on_gpu else 0,
        "kv_cache_type": KV_TYPES[0] if server.kv_cache_type == "Auto" else server.kv_cache_type,
        "ubatch_tokens": server.ubatch_tokens or UBATCHES[0],
    }
