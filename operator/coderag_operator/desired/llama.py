"""chat and code: one llama.cpp server each, with every number on its command line."""

from collections.abc import Iterator
from typing import Any

from coderag_operator.api import seconds
from coderag_operator.api.servers import LlamaCpp
from coderag_operator.desired import names
from coderag_operator.desired.claims import claim_volume
from coderag_operator.desired.context import Context, Manifest, checksum
from coderag_operator.desired.env import keys, plain
from coderag_operator.desired.gpu import access, claims
from coderag_operator.desired.placement import model_placement
from coderag_operator.desired.pod import Pod, http_probes
from coderag_operator.desired.references import local_servers
from coderag_operator.desired.sizing import size, threads
from coderag_operator.desired.workloads import (
    RECREATE,
    active_service,
    deployment,
    disruption_budget,
    service,
    service_account,
)
from coderag_operator.vram.host import CHECKPOINTS, PROMPT_CACHE_MIB

MODEL_FOLDER = "/models"
ALL_LAYERS = 999
STARTUP_SECONDS = 600
READY_EVERY = 2  # what a role's callers wait for before the failover of their Service begins to count
DRAIN_SECONDS = 15
HTTP_THREADS = 64
BATCH = 512


def surroundings(context: Context) -> Iterator[Manifest]:
    """Yield what the model servers have whether or not they can run yet."""
    yield from claims(context)
    for role in local_servers(context.stack):
        yield service_account(context, role)
        yield service(context, role, labels={names.VERIFIED_LABEL: "true"})
        yield active_service(context, role)
        yield disruption_budget(context, role)


def chat(context: Context) -> Iterator[Manifest]:
    """Yield the chat server, unless somebody else runs it."""
    return _server(context, names.CHAT)


def code(context: Context) -> Iterator[Manifest]:
    """Yield the code server, unless somebody else runs it."""
    return _server(context, names.CODE)


def _server(context: Context, role: str) -> Iterator[Manifest]:
    server = local_servers(context.stack).get(role)
    if server is not None:
        # Recreate: there is no memory for the old and the new model side by side.
        yield mark(deployment(context, pod(context, role, server), strategy=RECREATE))


def mark(workload: Manifest) -> Manifest:
    """Return a Deployment whose template says which one it is; a rollout pauses it, and what nobody else may do."""
    spec, annotations = workload["spec"], workload["spec"]["template"]["metadata"]["annotations"]
    annotations[names.REVISION_ANNOTATION] = checksum(spec["template"])
    spec["paused"] = False
    return workload


def pod(context: Context, role: str, server: LlamaCpp) -> Pod:
    """Return the pod of a model server."""
    request = seconds(context.stack.spec.gateway.timeouts.request)
    return Pod(
        component=role,
        image="llama",
        settings=server,
        args=arguments(context, role, server),
        env=[*keys(context, LLAMA_API_KEY="llama-api-key"), *plain(HOME="/tmp", LLAMA_CACHE="/tmp")],  # noqa: S108
        ports={"http": names.PORTS[role]},
        probes=http_probes("/health", "/health", startup_seconds=STARTUP_SECONDS, ready_every=READY_EVERY),
        pre_stop={"exec": {"command": ["coderag-drain", f"http://127.0.0.1:{names.PORTS[role]}/metrics"]}},
        volumes=[_model_volume(context, server)],
        mounts=[{"name": "models", "mountPath": MODEL_FOLDER, "readOnly": True}],
        gpu=access(context, role, context.inputs.sizes.get(role)),
        labels={names.serves_label(role): "true", names.VERIFIED_LABEL: "true"},
        grace_seconds=request + DRAIN_SECONDS,
        **model_placement(context, role),
    )


def _model_volume(context: Context, server: LlamaCpp) -> dict[str, Any]:
    claim = server.source.pvc.claim_name if server.source.pvc else names.cache_claim_name(context.stack)
    return claim_volume("models", claim, read_only=True)


def model_file(server: LlamaCpp) -> str:
    """Return the path of a server's model file inside its container."""
    if server.source.pvc:
        return f"{MODEL_FOLDER}/{server.source.pvc.path}"
    assert server.source.http is not None  # noqa: S101  the spec's rule: exactly one of the two
    return f"{MODEL_FOLDER}/{server.source.http.sha256}.gguf"


def arguments(context: Context, role: str, server: LlamaCpp) -> list[str]:
    """Return the command line. Nothing is left to the server: what it guesses differs from start to start."""
    layers = ALL_LAYERS if server.gpu_layers == "All" else server.gpu_layers
    flags: dict[str, Any] = {
        "--model": model_file(server),
        "--alias": role,
        "--host": "0.0.0.0",  # noqa: S104  a pod is reached from outside itself; the key and the policies guard it
        "--port": names.PORTS[role],
        "--fit": "off",
        "--n-gpu-layers": layers,
        # Each request has its own part: a long prompt next door takes no room from an answer that is being written.
        "--ctx-size": server.context_tokens * server.parallel,
        "--parallel": server.parallel,
        "--batch-size": max(BATCH, server.ubatch_tokens or BATCH),
        "--ubatch-size": server.ubatch_tokens,
        "--flash-attn": "on",
        "--cache-type-k": server.kv_cache_type,
        "--cache-type-v": server.kv_cache_type,
        "--cache-ram": PROMPT_CACHE_MIB,
        "--ctx-checkpoints": CHECKPOINTS,
        "--load-mode": "mmap",
        "--threads": threads(size(role, server.resources)),
        # Each stream holds a thread until its end; health and metrics must find a free one all the same.
        "--threads-http": HTTP_THREADS + server.parallel,
        # What the server tells about its buffers is held against the plan; requests and answers are not logged.
        "--log-verbosity": 4,
        "--timeout": seconds(context.stack.spec.gateway.timeouts.request),
    }
    pairs = [text for name, value in flags.items() for text in (name, str(value))]
    return [*pairs, "--no-kv-unified", "--metrics", "--slots", "--no-webui", "--offline", "--jinja"]
