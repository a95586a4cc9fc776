"""What every field of the spec does: a changed value, the children that change by it and where, and nothing else.

Places are written short: `container.x` is spec.template.spec.containers[0].x, `pod.x` is spec.template.spec.x,
`template.x` is spec.template.x; a list of named entries is entered by name, any other list counts as a whole.
A child that appears or disappears has the place `.`. Names leave out the stack's; a fetch Job's leaves out its hash.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.specs import APP, EVALUATION, EXTERNAL, FILES, MULTILINGUAL, PVC_SOURCE, merge, nest

CHECKSUM = "template.metadata.annotations.coderag.dev/checksum"
SECRET_KEY = {"name": "token", "key": "value"}
TAINT = {"key": "dedicated", "operator": "Equal", "value": "ai", "effect": "NoExecute", "tolerationSeconds": 30}
POLICY, CONFIG = "NetworkPolicy", "ConfigMap"


@dataclass(frozen=True)
class Effect:
    """One field: merge patches on the base spec before and after, and what changes. `at_creation`: fixed afterwards."""

    path: str
    change: dict[str, Any]
    children: dict[str, tuple[str, ...]]
    start: dict[str, Any] = field(default_factory=dict)
    at_creation: bool = False


def effects() -> Iterator[Effect]:
    """Yield the whole table."""
    yield from _components()
    yield from _gpu()
    yield from _models()
    yield from _services()
    yield from _embedding()
    yield from _evaluation()
    yield from _resilience()
    yield from _storage()
    yield from _repositories()
    yield from _images()
    yield from _whole()


CHAT, CODE = "Deployment/chat", "Deployment/code"
FETCHES = ("Job/fetch-chat", "Job/fetch-code")
GATEWAY, RAG, EMBEDDING = "Deployment/gateway", "Deployment/rag", "Deployment/embedding"
QDRANT, INGESTION = "StatefulSet/qdrant", "StatefulSet/ingestion"
JOB = "Job/evaluation"
COMPONENTS: dict[str, tuple[str, ...]] = {
    "models.chat.llamaCpp": (CHAT,),
    "models.code.llamaCpp": (CODE,),
    "embedding": (EMBEDDING,),
    "vectorStore": (QDRANT,),
    "modelCache": FETCHES,
    "gateway": (GATEWAY,),
    "rag": (RAG,),
    "ingestion": (INGESTION,),
    "evaluation": (JOB,),
}
THREADS = {CHAT: "container.args", CODE: "container.args", EMBEDDING: "container.env.EMBEDDING_THREADS.value"}


def _each(children: tuple[str, ...], *places: str) -> dict[str, tuple[str, ...]]:
    return dict.fromkeys(children, places)


def _components() -> Iterator[Effect]:
    for prefix, children in COMPONENTS.items():
        yield from _resources(prefix, children)
        yield from _placement(prefix, children)
        metadata = "template.metadata"
        start = _start(prefix)
        label = nest(f"{prefix}.podLabels", {"example.com/team": "search"})
        yield Effect(f"{prefix}.podLabels", label, _each(children, f"{metadata}.labels.example.com/team"), start)
        note = nest(f"{prefix}.podAnnotations", {"example.com/note": "x"})
        place = f"{metadata}.annotations.example.com/note"
        yield Effect(f"{prefix}.podAnnotations", note, _each(children, place), start)


def _start(prefix: str) -> dict[str, Any]:
    return EVALUATION if prefix == "evaluation" else {}


def _resources(prefix: str, children: tuple[str, ...]) -> Iterator[Effect]:
    for name, small, large in (("cpu", "10m", "9"), ("memory", "8Mi", "90Gi"), ("ephemeral-storage", "1Mi", "90Gi")):
        for side, value in (("requests", small), ("limits", large)):
            path, place = f"{prefix}.resources.{side}.{name}", f"container.resources.{side}.{name}"
            threads = [THREADS[child] for child in children if (side, name) == ("limits", "cpu") and child in THREADS]
            yield Effect(path, nest(path, value), _each(children, place, *threads), _start(prefix))


def _placement(prefix: str, children: tuple[str, ...]) -> Iterator[Effect]:
    selector = nest(f"{prefix}.nodeSelector", {"disk": "fast"})
    yield Effect(f"{prefix}.nodeSelector", selector, _each(children, "pod.nodeSelector"), _start(prefix))
    priority = nest(f"{prefix}.priorityClassName", "high")
    yield Effect(f"{prefix}.priorityClassName", priority, _each(children, "pod.priorityClassName"), _start(prefix))
    yield from _tolerations(prefix, children)


def _tolerations(prefix: str, children: tuple[str, ...]) -> Iterator[Effect]:
    without_value = {key: value for key, value in TAINT.items() if key != "value"}
    changed = {
        "key": TAINT | {"key": "other"},
        "operator": without_value | {"operator": "Exists"},
        "value": TAINT | {"value": "web"},
        "effect": {key: value for key, value in TAINT.items() if key != "tolerationSeconds"} | {"effect": "NoSchedule"},
        "tolerationSeconds": TAINT | {"tolerationSeconds": 60},
    }
    start = merge(_start(prefix), nest(f"{prefix}.tolerations", [TAINT]))
    for name, value in changed.items():
        path = f"{prefix}.tolerations[].{name}"
        yield Effect(path, nest(f"{prefix}.tolerations", [value]), _each(children, "pod.tolerations"), start)


def _gpu() -> Iterator[Effect]:
    pods = (CHAT, CODE, *FETCHES)
    off = _each((CHAT, CODE), "container.args", "container.resources.limits.nvidia.com/gpu")
    # The files need not be where a GPU is.
    yield Effect("gpu.sharing", nest("gpu.sharing", "None"), off | _each(FETCHES, "pod.affinity.nodeAffinity"))
    on_claims = nest("models.chat.llamaCpp.source", PVC_SOURCE)
    # With nothing else in common the two servers may part; the one on the cache stays with its fetch Job.
    apart = dict.fromkeys(
        (CODE, FETCHES[1]), ("pod.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution",)
    )
    yield Effect(
        "gpu.sharing", nest("gpu.sharing", "Exclusive"), {CHAT: ("pod.affinity.podAffinity",), **apart}, on_claims
    )
    yield Effect("gpu.nodeSelector", nest("gpu.nodeSelector", {"gpu": "yes"}), _each(pods, "pod.nodeSelector"))
    yield from _tolerations("gpu", pods)
    for name, value in (("budgetMiB", 5600), ("reserveMiB", 0), ("contextOverheadMiB", 200), ("llamaBuild", 6000)):
        yield Effect(f"gpu.{name}", nest(f"gpu.{name}", value), {})
    runtime = nest("gpu.runtimeClassName", "nvidia")
    yield Effect("gpu.runtimeClassName", runtime, _each((CHAT, CODE), "pod.runtimeClassName"))
    claim = {"ResourceClaim/gpu": ("spec.devices.requests.gpu.exactly.deviceClassName",)}
    device = nest("gpu.deviceClassName", "large-gpus")
    yield Effect("gpu.deviceClassName", device, claim, nest("gpu.sharing", "DRA"), at_creation=True)


def _models() -> Iterator[Effect]:
    for role, workload in (("chat", CHAT), ("code", CODE)):
        server = f"models.{role}.llamaCpp"
        job = {f"Job/fetch-{role}": ("container.args",)}
        for name, value in (
            ("parallel", 4),
            ("gpuLayers", 12),
            ("kvCacheType", "q8_0"),
            ("ubatchTokens", 256),
        ):
            yield Effect(f"{server}.{name}", nest(f"{server}.{name}", value), {workload: ("container.args",)})
        yield Effect(f"{server}.minContextTokens", nest(f"{server}.minContextTokens", 1024), {})
        context = {workload: ("container.args",), f"{CONFIG}/gateway": ("data.config.yaml",), GATEWAY: (CHECKSUM,)}
        # The smaller of the two contexts bounds what rag puts into a prompt.
        context[RAG] = ("container.env.ANSWER_TOKENS.value", "container.env.CONTEXT_TOKENS.value")
        yield Effect(f"{server}.contextTokens", nest(f"{server}.contextTokens", 2048), context)
        http = f"{server}.source.http"
        url = nest(f"{http}.url", f"https://mirror.example.com/{role}.gguf")
        yield Effect(f"{http}.url", url, job)
        digest = {
            workload: ("container.args",),
            f"Job/fetch-{role}": ("container.args", "metadata.annotations.coderag.dev/sha256"),
        }
        yield Effect(f"{http}.sha256", nest(f"{http}.sha256", "c" * 64), digest)
        yield from _token(role, http)
        yield from _claim(role, workload, server)
        yield from _external(role)


def _token(role: str, http: str) -> Iterator[Effect]:
    start = nest(f"{http}.tokenSecretRef", SECRET_KEY)
    place = "container.env.MODEL_TOKEN.valueFrom.secretKeyRef"
    for name, places in (("name", (f"{place}.name", CHECKSUM)), ("key", (f"{place}.key",))):
        path = f"{http}.tokenSecretRef.{name}"
        yield Effect(path, nest(path, "other"), {f"Job/fetch-{role}": places}, start)


def _claim(role: str, workload: str, server: str) -> Iterator[Effect]:
    start = nest(f"{server}.source", PVC_SOURCE)
    claim = "pod.volumes.models.persistentVolumeClaim.claimName"
    for name, place in (("claimName", claim), ("path", "container.args")):
        path = f"{server}.source.pvc.{name}"
        look = {f"Job/inspect-{role}": (place, "metadata.annotations.coderag.dev/sha256")}
        yield Effect(path, nest(path, "other"), {workload: (place,), **look}, start)


def _external(role: str) -> Iterator[Effect]:
    prefix = f"models.{role}.external"
    start = nest(f"models.{role}", EXTERNAL)
    config = {f"{CONFIG}/gateway": ("data.config.yaml",), GATEWAY: (CHECKSUM,)}
    variable = f"container.env.{role.upper()}_EXTERNAL_API_KEY.valueFrom.secretKeyRef"
    url = {f"{POLICY}/gateway": ("spec.egress",)}
    yield Effect(f"{prefix}.baseUrl", nest(f"{prefix}.baseUrl", "https://llm.example.com:8443/v1"), config | url, start)
    yield Effect(f"{prefix}.model", nest(f"{prefix}.model", "bigger"), config, start)
    keyed = merge(start, nest(f"{prefix}.apiKeySecretRef", SECRET_KEY))
    for name, places in (("name", (f"{variable}.name", CHECKSUM)), ("key", (f"{variable}.key",))):
        path = f"{prefix}.apiKeySecretRef.{name}"
        yield Effect(path, nest(path, "other"), {GATEWAY: places}, keyed)


def _services() -> Iterator[Effect]:
    config = {f"{CONFIG}/gateway": ("data.config.yaml",)}
    for name, value in (("load", "Lazy"), ("queryCache", 100)):
        variable = {"load": "MODEL_LOAD", "queryCache": "EMBEDDING_QUERY_CACHE"}[name]
        change = nest(f"embedding.{name}", value)
        yield Effect(f"embedding.{name}", change, {EMBEDDING: (f"container.env.{variable}.value",)})
    worker = {f"{CONFIG}/ingestion": ("data.ingestion.json",), INGESTION: (CHECKSUM,)}
    yield Effect("embedding.promotion", nest("embedding.promotion", "Manual"), worker)
    yield Effect("ingestion.reconcileSchedule", nest("ingestion.reconcileSchedule", "5 1 * * *"), worker)
    for name, child in (("embedding", EMBEDDING), ("gateway", GATEWAY), ("rag", RAG)):
        yield Effect(f"{name}.replicas", nest(f"{name}.replicas", 3), {child: ("spec.replicas",)})
    patient = {
        CHAT: ("container.args", "pod.terminationGracePeriodSeconds"),
        CODE: ("container.args", "pod.terminationGracePeriodSeconds"),
        RAG: ("container.env.LLM_REQUEST_TIMEOUT.value",),
        GATEWAY: (CHECKSUM, "pod.terminationGracePeriodSeconds"),
        **config,
    }
    yield Effect("gateway.timeouts.request", nest("gateway.timeouts.request", "5m"), patient)
    connect = {RAG: ("container.env.LLM_CONNECT_TIMEOUT.value",), GATEWAY: (CHECKSUM,), **config}
    yield Effect("gateway.timeouts.connect", nest("gateway.timeouts.connect", "3s"), connect)
    answer = {
        RAG: ("container.env.RAG_LLM_TIMEOUT.value", "pod.terminationGracePeriodSeconds"),
        GATEWAY: (CHECKSUM, "pod.terminationGracePeriodSeconds"),
        **config,
    }
    yield Effect("rag.timeouts.llm", nest("rag.timeouts.llm", "5m"), answer)
    yield from _retrieval(config)


def _embedding() -> Iterator[Effect]:
    config = {f"{CONFIG}/gateway": ("data.config.yaml",), GATEWAY: (CHECKSUM,)}
    model = ("container.env.MODEL_NAME.value", "container.volumeMounts.models.mountPath")
    heavier = [f"container.resources.{side}.memory" for side in ("limits", "requests")]
    start, light = nest("embedding.source.http", FILES), nest("embedding.profile", "multilingual")
    yield Effect("embedding.profile", light, {EMBEDDING: (*model, *heavier), **config}, start)
    other = nest("embedding.model", "Qwen3-Embedding-0.6B")
    yield Effect("embedding.model", other, {EMBEDDING: model, **config}, MULTILINGUAL)
    fallback = {EMBEDDING: ("container.env.MODEL_FALLBACK",)}
    yield Effect("embedding.fallback", nest("embedding.fallback", "all-MiniLM-L6-v2"), fallback, MULTILINGUAL)
    claim = "PersistentVolumeClaim/embedding"
    size = {claim: ("spec.resources.requests.storage",)}
    yield Effect("embedding.storage.size", nest("embedding.storage.size", "50Gi"), size, MULTILINGUAL)
    path, of_class = "embedding.storage.storageClassName", {claim: ("spec.storageClassName",)}
    yield Effect(path, nest(path, "fast"), of_class, MULTILINGUAL, at_creation=True)
    yield from _embedding_files()
    yield from _embedding_claim()


def _embedding_files() -> Iterator[Effect]:
    job, http = "Job/fetch-embedding", "embedding.source.http"
    yield Effect(
        f"{http}.url", nest(f"{http}.url", "https://mirror.example.com/k"), {job: ("container.args",)}, MULTILINGUAL
    )
    changed = {
        EMBEDDING: ("container.volumeMounts.models.subPath",),
        job: ("container.args", "metadata.annotations.coderag.dev/sha256"),
    }
    for name, value in (("path", "onnx/model.onnx"), ("sha256", "3" * 64)):
        files = [FILES["files"][0], FILES["files"][1] | {name: value}]
        yield Effect(f"{http}.files[].{name}", nest(f"{http}.files", files), changed, MULTILINGUAL)
    start = merge(MULTILINGUAL, nest(f"{http}.tokenSecretRef", SECRET_KEY))
    place = "container.env.MODEL_TOKEN.valueFrom.secretKeyRef"
    for name, places in (("name", (f"{place}.name", CHECKSUM)), ("key", (f"{place}.key",))):
        path = f"{http}.tokenSecretRef.{name}"
        yield Effect(path, nest(path, "other"), {job: places}, start)


def _embedding_claim() -> Iterator[Effect]:
    start = nest("embedding", {"model": "KURE-v1", "source": {"pvc": {"claimName": "models", "path": "kure"}}})
    for name, place in (
        ("claimName", "pod.volumes.models.persistentVolumeClaim.claimName"),
        ("path", "container.volumeMounts.models.subPath"),
    ):
        path = f"embedding.source.pvc.{name}"
        yield Effect(path, nest(path, "other"), {EMBEDDING: (place,)}, start)


def _evaluation() -> Iterator[Effect]:
    args = {JOB: ("container.args",)}
    for name, value in (("repositories", "app"), ("gates", "ndcg@10>=0.5")):
        yield Effect(f"evaluation.{name}[]", nest(f"evaluation.{name}", [value]), args, EVALUATION)
    path = "evaluation.questions.configMapRef"
    moved = {JOB: (CHECKSUM, "pod.volumes.questions.configMap.name")}
    yield Effect(f"{path}.name", nest(f"{path}.name", "other"), moved, EVALUATION)
    other = {JOB: ("container.args", "pod.volumes.questions.configMap.items")}
    yield Effect(f"{path}.key", nest(f"{path}.key", "other"), other, EVALUATION)
    daily = nest("evaluation.schedule", "0 4 * * *")
    yield Effect("evaluation.schedule", daily, {JOB: (".",), "CronJob/evaluation": (".",)}, EVALUATION)
    start = merge(EVALUATION, nest("evaluation.judge", {"baseUrl": "https://judge.example.com/v1", "model": "big"}))
    judge = "evaluation.judge"
    reached = {JOB: ("container.env.JUDGE_URL.value",), f"{POLICY}/evaluation": ("spec.egress",)}
    yield Effect(f"{judge}.baseUrl", nest(f"{judge}.baseUrl", "https://judge.example.com:8443/v1"), reached, start)
    yield Effect(f"{judge}.model", nest(f"{judge}.model", "bigger"), {JOB: ("container.env.JUDGE_MODEL.value",)}, start)
    keyed, place = merge(start, nest(f"{judge}.apiKeySecretRef", SECRET_KEY)), "container.env.JUDGE_API_KEY.valueFrom"
    for name, places in (
        ("name", (f"{place}.secretKeyRef.name", CHECKSUM)),
        ("key", (f"{place}.secretKeyRef.key",)),
    ):
        path = f"{judge}.apiKeySecretRef.{name}"
        yield Effect(path, nest(path, "other"), {JOB: places}, keyed)


def _retrieval(config: dict[str, tuple[str, ...]]) -> Iterator[Effect]:
    for path, value, variable in (
        ("rag.timeouts.qdrant", "7s", "QDRANT_TIMEOUT"),
        ("rag.timeouts.embedding", "7s", "EMBEDDING_TIMEOUT"),
        ("rag.retries.attempts", 5, "QDRANT_MAX_RETRIES"),
        ("rag.retries.minWait", "1s", "QDRANT_RETRY_MIN_WAIT"),
        ("rag.retries.maxWait", "20s", "QDRANT_RETRY_MAX_WAIT"),
    ):
        gateway = config | {GATEWAY: (CHECKSUM,)} if path == "rag.timeouts.embedding" else {}
        yield Effect(path, nest(path, value), _each((RAG, INGESTION), f"container.env.{variable}.value") | gateway)


def _resilience() -> Iterator[Effect]:
    config = {f"{CONFIG}/gateway": ("data.config.yaml",), GATEWAY: (CHECKSUM,)}
    for name, value in (("allowedFails", 5), ("cooldown", "30s"), ("timeouts.firstToken", "7s")):
        yield Effect(f"gateway.{name}", nest(f"gateway.{name}", value), config)
    for name in ("chatToCode", "codeToChat"):
        yield Effect(f"failover.{name}", nest(f"failover.{name}", False), config)
    for name in ("dwell", "failbackAfter", "failoverAfter", "flapWindow", "stallAfter"):
        value = "20m" if name == "flapWindow" else "45s"
        yield Effect(f"failover.{name}", nest(f"failover.{name}", value), {})
    yield Effect("rollout.progressDeadline", nest("rollout.progressDeadline", "20m"), {})


def _storage() -> Iterator[Effect]:
    size, owner, kind = "spec.resources.requests.storage", "metadata.ownerReferences", "PersistentVolumeClaim"
    for prefix, claim in (
        ("vectorStore.storage", "qdrant"), ("modelCache", "models"), ("ingestion.storage", "ingestion"),
    ):  # fmt: skip
        place = f"{kind}/{claim}"
        yield Effect(f"{prefix}.size", nest(f"{prefix}.size", "50Gi"), {place: (size,)})
        path = f"{prefix}.storageClassName"
        yield Effect(path, nest(path, "fast"), {place: ("spec.storageClassName",)}, at_creation=True)
    yield Effect(
        "vectorStore.deletionPolicy", nest("vectorStore.deletionPolicy", "Delete"), {f"{kind}/qdrant": (owner,)}
    )
    yield Effect("modelCache.deletionPolicy", nest("modelCache.deletionPolicy", "Retain"), {f"{kind}/models": (owner,)})
    claims = {f"{kind}/{name}": ("spec.storageClassName",) for name in ("qdrant", "models", "ingestion")}
    yield Effect("storageClassName", {"storageClassName": "fast"}, claims, at_creation=True)


def _repositories() -> Iterator[Effect]:
    config = {f"{CONFIG}/ingestion": ("data.ingestion.json",), INGESTION: (CHECKSUM,)}
    for name, value in (("ref", "develop"), ("schedule", "0 4 * * 1")):
        yield Effect(f"repositories[].{name}", {"repositories": [APP | {name: value}]}, config)
    for name, value in (("refs", "release/2.0"), ("paths", "src"), ("include", "**/*.py"), ("exclude", "vendor/**")):
        yield Effect(f"repositories[].{name}[]", {"repositories": [APP | {name: [value]}]}, config)
    links = {RAG: ("container.env.REPOSITORY_URLS.value",)}
    yield Effect("repositories[].host", {"repositories": [APP | {"host": "gitea"}]}, links)
    yield Effect("repositories[].name", {"repositories": [APP | {"name": "other"}]}, config | links)
    moved = {"repositories": [APP | {"url": "https://git.example.com:8443/team/app.git"}]}
    yield Effect("repositories[].url", moved, config | links | {f"{POLICY}/ingestion": ("spec.egress",)})
    start = {"repositories": [APP | {"credentialsSecretRef": {"name": "git"}}]}
    other = {"repositories": [APP | {"credentialsSecretRef": {"name": "git-2"}}]}
    secret = {INGESTION: ("pod.volumes.credentials-app.secret.secretName",)}
    yield Effect("repositories[].credentialsSecretRef.name", other, secret, start)
    yield from _webhooks(config)


def _webhooks(config: dict[str, tuple[str, ...]]) -> Iterator[Effect]:
    start = {"repositories": [APP | {"webhookSecretRef": SECRET_KEY}]}
    volume = "pod.volumes.webhook-app.secret"
    for name, children in (
        ("name", {INGESTION: (f"{volume}.secretName",)}),
        ("key", config | {INGESTION: (CHECKSUM, f"{volume}.items")}),
    ):
        other = {"repositories": [APP | {"webhookSecretRef": SECRET_KEY | {name: "other"}}]}
        yield Effect(f"repositories[].webhookSecretRef.{name}", other, children, start)


def _images() -> Iterator[Effect]:
    users = {
        "llama": (CHAT, CODE), "model": FETCHES, "embedding": (EMBEDDING,), "rag": (RAG, INGESTION),
        "gateway": (GATEWAY,), "qdrant": (QDRANT,), "evaluation": (JOB,),
    }  # fmt: skip
    for name, children in users.items():
        tagged = nest(f"images.{name}.tag", "1.0.0")
        for part, value, start in (
            ("repository", "other.example.com/mine", tagged),
            ("tag", "2.0.0", {}),
            ("digest", f"sha256:{'d' * 64}", {}),
        ):
            path = f"images.{name}.{part}"
            yield Effect(path, nest(path, value), _each(children, "container.image"), merge(_start(name), start))
        path = f"images.{name}.pullPolicy"
        yield Effect(path, nest(path, "Always"), _each(children, "container.imagePullPolicy"), _start(name))


def _whole() -> Iterator[Effect]:
    workloads = (CHAT, CODE, EMBEDDING, GATEWAY, RAG, QDRANT, INGESTION)
    stopped = _each(workloads, "spec.replicas") | _each(FETCHES, "spec.suspend")
    yield Effect("suspend", {"suspend": True}, stopped)
    yield Effect("maintenance", {"maintenance": True}, stopped)
    start = {"imagePullSecrets": [{"name": "one"}]}
    pulled = _each((*workloads, *FETCHES), "pod.imagePullSecrets.one", "pod.imagePullSecrets.two")
    yield Effect("imagePullSecrets[].name", {"imagePullSecrets": [{"name": "two"}]}, pulled, start)
    yield from _auth(workloads)
    yield from _expose()
    yield from _proxy()
    yield from _certificates()


def _auth(workloads: tuple[str, ...]) -> Iterator[Effect]:
    variables = {
        CHAT: ("LLAMA_API_KEY",),
        CODE: ("LLAMA_API_KEY",),
        EMBEDDING: ("EMBEDDING_API_KEY",),
        QDRANT: ("QDRANT__SERVICE__API_KEY", "QDRANT__SERVICE__READ_ONLY_API_KEY"),
        INGESTION: ("EMBEDDING_API_KEY", "INGESTION_API_KEY", "QDRANT_API_KEY"),
        RAG: ("API_KEY", "EMBEDDING_API_KEY", "GATEWAY_API_KEY", "LLAMA_API_KEY", "QDRANT_API_KEY", "RAG_API_KEY"),
        GATEWAY: (
            "API_KEY", "EMBEDDING_API_KEY", "LITELLM_MASTER_KEY", "LLAMA_API_KEY", "RAG_API_KEY", "RAG_GATEWAY_KEY",
        ),
    }  # fmt: skip
    changed = {
        child: (*(f"container.env.{name}.valueFrom.secretKeyRef.name" for name in variables[child]), CHECKSUM)
        for child in workloads
    }
    yield Effect("auth.existingSecretRef.name", nest("auth.existingSecretRef.name", "mine"), changed)


def _expose() -> Iterator[Effect]:
    ingress = {"host": "code.example.com", "tlsSecretName": "tls"}
    start = nest("expose.ingress", ingress)
    for name, value, places in (
        ("host", "other.example.com", ("spec.rules", "spec.tls")),
        ("tlsSecretName", "other", ("spec.tls",)),
        ("className", "nginx", ("spec.ingressClassName",)),
        ("annotations", {"example.com/a": "b"}, ("metadata.annotations",)),
    ):
        path = f"expose.ingress.{name}"
        yield Effect(path, nest(path, value), {"Ingress/expose": places}, start)


def _proxy() -> Iterator[Effect]:
    fetched = (*FETCHES, GATEWAY, INGESTION)
    ports = {f"{POLICY}/{name}": ("spec.egress",) for name in ("models", "ingestion")}
    for name in ("http", "https"):
        start, path = nest(f"proxy.{name}Proxy", "http://proxy.example.com:3128"), f"proxy.{name}Proxy"
        variables = [f"container.env.{text}.value" for text in (f"{name.upper()}_PROXY", f"{name}_proxy")]
        yield Effect(path, nest(path, "http://proxy.example.com:3129"), _each(fetched, *variables) | ports, start)
    start = nest("proxy.httpsProxy", "http://proxy.example.com:3128")
    variables = ["container.env.NO_PROXY.value", "container.env.no_proxy.value"]
    yield Effect("proxy.noProxy[]", nest("proxy.noProxy", [".corp.example.com"]), _each(fetched, *variables), start)


def _certificates() -> Iterator[Effect]:
    fetched = (*FETCHES, GATEWAY, INGESTION)
    for kind, volume in (("configMapRef", "configMap.name"), ("secretRef", "secret.secretName")):
        start = nest(f"caBundle.{kind}", {"name": "ca", "key": "ca.crt"})
        source = volume.split(".")[0]
        for name, places in (
            ("name", (f"pod.volumes.certificates.{volume}", CHECKSUM)),
            ("key", (f"pod.volumes.certificates.{source}.items",)),
        ):
            path = f"caBundle.{kind}.{name}"
            yield Effect(path, nest(path, "other"), _each(fetched, *places), start)


EFFECTS = tuple(effects())
