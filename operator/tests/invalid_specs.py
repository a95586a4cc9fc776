"""Specs that must be refused by the API server and by the operator: the field and the words that the message must hold.

`server` and `operator` are the words of each side where they differ: what a schema says itself is worded by Kubernetes
and by pydantic. `update`: the base spec is there already and the patch updates it, which only the API server can judge.
"""

from dataclasses import dataclass
from typing import Any

from tests.specs import APP, EVALUATION, EXTERNAL, FILES, MULTILINGUAL, merge, nest

TAINT = {"key": "dedicated", "operator": "Exists"}


@dataclass(frozen=True)
class Invalid:
    """One patch on the base spec that makes it invalid."""

    name: str
    patch: dict[str, Any]
    field: str
    words: tuple[str, ...] = ()
    server: tuple[str, ...] = ()
    operator: tuple[str, ...] = ()
    update: bool = False


CHAT = "models.chat.llamaCpp"
HTTP = f"{CHAT}.source.http"

INVALID = (
    Invalid("no models", {"models": None}, "spec.models", operator=("Field required", "add it"), server=("Required",)),
    Invalid(
        "no model for a role",
        nest("models.code", None),
        "spec.models.code",
        operator=("Field required", "add it"),
        server=("Required",),
    ),
    Invalid("nobody answers for a role", nest("models.chat", {"llamaCpp": None}), "spec.models.chat", ("exactly one",)),
    Invalid(
        "two answer for a role",
        nest("models.chat", {"external": EXTERNAL["external"]}),
        "spec.models.chat",
        ("exactly one of llamaCpp and external", "keep one of them"),
    ),
    Invalid(
        "two sources of a model",
        nest(f"{CHAT}.source", {"pvc": {"claimName": "models", "path": "a.gguf"}}),
        f"spec.{CHAT}.source",
        ("exactly one of http and pvc",),
    ),
    Invalid("a digest that is none", nest(f"{HTTP}.sha256", "ABC"), f"spec.{HTTP}.sha256", ("[0-9a-f]{64}",)),
    Invalid("a model from the file system", nest(f"{HTTP}.url", "file:///etc/passwd"), f"spec.{HTTP}.url", ("https?",)),
    Invalid(
        "a credential in an address",
        nest(f"{HTTP}.url", "https://me:secret@hub.example.com/a.gguf"),
        f"spec.{HTTP}.url",
        ("https?",),
    ),
    Invalid(
        "a path that leaves the claim",
        nest(f"{CHAT}.source", {"http": None, "pvc": {"claimName": "models", "path": "../a.gguf"}}),
        f"spec.{CHAT}.source.pvc.path",
        ("leaves the claim", "below the root"),
    ),
    Invalid(
        "an unknown way to share the GPU",
        nest("gpu.sharing", "Fractions"),
        "spec.gpu.sharing",
        ("TimeSlicing",),
        server=("Unsupported value",),
    ),
    Invalid(
        "layers on a GPU that is not there",
        merge(nest("gpu.sharing", "None"), nest(f"{CHAT}.gpuLayers", 12)),
        "spec.gpu",
        ("gpuLayers", "set gpuLayers to 0"),
    ),
    Invalid("a budget for no model", nest("gpu.budgetMiB", 100), "spec.gpu.budgetMiB", ("256",)),
    Invalid("a budget of no GPU", nest("gpu.budgetMiB", 2000000), "spec.gpu.budgetMiB", ("1048576",)),
    Invalid(
        "a budget that the processes take",
        nest("gpu", {"budgetMiB": 300}),
        "spec.gpu.budgetMiB",
        ("contextOverheadMiB takes the whole of budgetMiB", "raise budgetMiB or lower contextOverheadMiB"),
    ),
    Invalid("a reserve below nothing", nest("gpu.reserveMiB", -1), "spec.gpu.reserveMiB", ("0",)),
    Invalid("an overhead below nothing", nest("gpu.contextOverheadMiB", -1), "spec.gpu.contextOverheadMiB", ("0",)),
    Invalid("a build that is none", nest("gpu.llamaBuild", 0), "spec.gpu.llamaBuild", ("1",)),
    Invalid("a runtime class that is none", nest("gpu.runtimeClassName", "No/pe"), "spec.gpu.runtimeClassName"),
    Invalid("a device class that is none", nest("gpu.deviceClassName", "No/pe"), "spec.gpu.deviceClassName"),
    Invalid(
        "a word for layers", nest(f"{CHAT}.gpuLayers", "Most"), f"spec.{CHAT}.gpuLayers", server=("All or a number",)
    ),
    Invalid(
        "a least context above the context",
        merge(nest(f"{CHAT}.contextTokens", 2048), nest(f"{CHAT}.minContextTokens", 4096)),
        f"spec.{CHAT}.minContextTokens",
        ("minContextTokens", "lower minContextTokens"),
    ),
    Invalid("too many layers", nest(f"{CHAT}.gpuLayers", 1000), f"spec.{CHAT}.gpuLayers", ("All or a number from 0",)),
    Invalid("a context too small", nest(f"{CHAT}.contextTokens", 16), f"spec.{CHAT}.contextTokens", ("1024",)),
    Invalid("nothing in parallel", nest(f"{CHAT}.parallel", 0), f"spec.{CHAT}.parallel", ("1",)),
    Invalid(
        "a request above its limit",
        nest("rag.resources", {"requests": {"cpu": 2}, "limits": {"cpu": "500m"}}),
        "spec.rag.resources.requests",
        ("the request for cpu is larger than its limit", "lower the request or raise the limit"),
    ),
    Invalid("a quantity that is none", nest("rag.resources.limits.memory", "lots"), "spec.rag.resources.limits.memory"),
    Invalid(
        "a key of the operator's",
        nest("gateway.podLabels", {"coderag.dev/serves-chat": "true"}),
        "spec.gateway.podLabels",
        ("belong to the operator", "your own prefix"),
    ),
    Invalid(
        "a key with a space",
        nest("gateway.nodeSelector", {"a b": "c"}),
        "spec.gateway.nodeSelector",
        ("not in the form",),
    ),
    Invalid(
        "a toleration of nothing",
        nest("rag.tolerations", [{"value": "x"}]),
        "spec.rag.tolerations[0].key",
        ("without a key", "set operator to Exists"),
    ),
    Invalid(
        "a value that is not looked at",
        nest("rag.tolerations", [TAINT | {"value": "x"}]),
        "spec.rag.tolerations[0].value",
        ("remove value",),
    ),
    Invalid(
        "seconds of an effect without an end",
        nest("rag.tolerations", [TAINT | {"tolerationSeconds": 5}]),
        "spec.rag.tolerations[0].tolerationSeconds",
        ("NoExecute",),
    ),
    Invalid("no pods", nest("gateway.replicas", 0), "spec.gateway.replicas", ("1",)),
    Invalid(
        "a timeout of nothing",
        nest("gateway.timeouts.request", "0s"),
        "spec.gateway.timeouts.request",
        ("give a value from 1s to 1h",),
    ),
    Invalid("a timeout without a unit", nest("rag.timeouts.llm", "60"), "spec.rag.timeouts.llm", ("^[0-9]+(s|m|h)$",)),
    Invalid(
        "waits the wrong way round",
        nest("rag.retries", {"minWait": "30s", "maxWait": "5s"}),
        "spec.rag.retries.minWait",
        ("minWait is longer than maxWait", "lower minWait"),
    ),
    Invalid("a size that is none", nest("vectorStore.storage.size", "0Gi"), "spec.vectorStore.storage.size"),
    Invalid(
        "an unknown policy",
        nest("vectorStore.deletionPolicy", "Orphan"),
        "spec.vectorStore.deletionPolicy",
        ("Retain",),
    ),
    Invalid(
        "a repository without an address",
        {"repositories": [{"name": "app"}]},
        "spec.repositories[0].url",
        operator=("add it",),
        server=("Required",),
    ),
    Invalid(
        "a repository by ssh", {"repositories": [APP | {"url": "git@example.com:a/b"}]}, "spec.repositories[0].url"
    ),
    Invalid(
        "a repository over ssh without a key",
        {"repositories": [APP | {"url": "ssh://git@example.com/a/b.git"}]},
        "spec.repositories[0].credentialsSecretRef",
        ("an ssh address needs a key", "ssh-privatekey and known_hosts"),
    ),
    Invalid(
        "a password in an ssh address",
        {"repositories": [APP | {"url": "ssh://git:pass@example.com/a/b.git"}]},
        "spec.repositories[0].url",
    ),
    Invalid(
        "an ssh host that is an option",
        {"repositories": [APP | {"url": "ssh://-oProxyCommand=x/a"}]},
        "spec.repositories[0].url",
    ),
    Invalid(
        "one of several refs that Git refuses",
        {"repositories": [APP | {"refs": ["next", "a..b"]}]},
        "spec.repositories[0].refs[1]",
        ("branch or tag",),
    ),
    Invalid(
        "the ref among the others",
        {"repositories": [APP | {"ref": "next", "refs": ["next"]}]},
        "spec.repositories[0].refs",
        ("refs holds ref", "remove it from refs"),
    ),
    Invalid(
        "a ref twice",
        {"repositories": [APP | {"refs": ["next", "next"]}]},
        "spec.repositories[0].refs",
        operator=("the value next is given twice",),
        server=("Duplicate value",),
    ),
    Invalid(
        "a folder outside of the repository",
        {"repositories": [APP | {"paths": ["src/../.."]}]},
        "spec.repositories[0].paths[0]",
        ("not one below the root", "write it as src/app"),
    ),
    Invalid(
        "a folder of the host",
        {"repositories": [APP | {"paths": ["/etc"]}]},
        "spec.repositories[0].paths[0]",
    ),
    Invalid(
        "a glob that ends in a blank",
        {"repositories": [APP | {"exclude": ["vendor/** "]}]},
        "spec.repositories[0].exclude[0]",
    ),
    Invalid(
        "a glob that negates",
        {"repositories": [APP | {"include": ["!vendor/**"]}]},
        "spec.repositories[0].include[0]",
    ),
    Invalid(
        "a webhook without its key",
        {"repositories": [APP | {"webhookSecretRef": {"name": "hook"}}]},
        "spec.repositories[0].webhookSecretRef.key",
        operator=("add it",),
        server=("Required",),
    ),
    Invalid(
        "a host of another kind", {"repositories": [APP | {"host": "cvs"}]}, "spec.repositories[0].host", ("gitea",)
    ),
    Invalid(
        "a nightly run in words",
        nest("ingestion.reconcileSchedule", "nightly"),
        "spec.ingestion.reconcileSchedule",
    ),
    Invalid(
        "a model that is nowhere",
        nest("embedding.profile", "multilingual"),
        "spec.embedding.source",
        ("carries all-MiniLM-L6-v2 alone", "say in source"),
    ),
    Invalid(
        "a named model that is nowhere",
        nest("embedding.model", "bge-small-en-v1.5"),
        "spec.embedding.source",
        ("carries all-MiniLM-L6-v2 alone", "say in source"),
    ),
    Invalid("a model of another catalogue", nest("embedding.model", "word2vec"), "spec.embedding.model", ("KURE-v1",)),
    Invalid(
        "a fallback onto itself",
        nest("embedding.fallback", "all-MiniLM-L6-v2"),
        "spec.embedding.fallback",
        ("the fallback is the model itself", "remove fallback"),
    ),
    Invalid(
        "two places of a model",
        merge(MULTILINGUAL, nest("embedding.source.pvc", {"claimName": "models", "path": "kure"})),
        "spec.embedding.source",
        ("exactly one of http and pvc",),
    ),
    Invalid(
        "a model of no files",
        merge(MULTILINGUAL, nest("embedding.source.http.files", [])),
        "spec.embedding.source.http.files",
    ),
    Invalid(
        "a file outside of its folder",
        merge(MULTILINGUAL, nest("embedding.source.http.files", [{"path": "../a", "sha256": "1" * 64}])),
        "spec.embedding.source.http.files[0].path",
    ),
    Invalid(
        "a file twice",
        merge(MULTILINGUAL, nest("embedding.source.http.files", [FILES["files"][0], FILES["files"][0]])),
        "spec.embedding.source.http.files",
        operator=("the path tokenizer.json is given twice",),
        server=("Duplicate value",),
    ),
    Invalid(
        "an evaluation of a repository that is not there",
        merge(EVALUATION, nest("evaluation.repositories", ["other"])),
        "spec.evaluation",
        ("names one that is not in repositories", "correct the name"),
    ),
    Invalid(
        "an evaluation without questions",
        {"evaluation": {}},
        "spec.evaluation.questions",
        operator=("add it",),
        server=("Required",),
    ),
    Invalid(
        "a gate that compares nothing",
        merge(EVALUATION, nest("evaluation.gates", ["ndcg@10"])),
        "spec.evaluation.gates[0]",
    ),
    Invalid(
        "a Sunday that Kubernetes does not know",
        merge(EVALUATION, nest("evaluation.schedule", "0 4 * * 7")),
        "spec.evaluation.schedule",
        ("has a 7", "write Sunday as 0"),
    ),
    Invalid("a cache below nothing", nest("embedding.queryCache", -1), "spec.embedding.queryCache", ("0",)),
    Invalid("a third way to promote", nest("embedding.promotion", "Never"), "spec.embedding.promotion", ("Manual",)),
    Invalid("a third way to load", nest("embedding.load", "Never"), "spec.embedding.load", ("Lazy",)),
    Invalid(
        "a repository name that is too long",
        {"repositories": [APP | {"name": "a" * 17}]},
        "spec.repositories[0].name",
        ("16",),
    ),
    Invalid(
        "two repositories of one name",
        {"repositories": [APP, APP]},
        "spec.repositories",
        operator=("the name app is given twice",),
        server=("Duplicate value",),
    ),
    Invalid(
        "a ref that Git refuses",
        {"repositories": [APP | {"ref": "a..b"}]},
        "spec.repositories[0].ref",
        ("branch or tag",),
    ),
    Invalid("a schedule in words", {"repositories": [APP | {"schedule": "hourly"}]}, "spec.repositories[0].schedule"),
    Invalid(
        "an image without a version",
        nest("images.rag.repository", "example.com/rag"),
        "spec.images.rag.repository",
        ("without a version", "add tag or digest"),
    ),
    Invalid("a digest without its kind", nest("images.rag.digest", "abc"), "spec.images.rag.digest", ("sha256",)),
    Invalid(
        "an Ingress without a certificate",
        nest("expose.ingress.host", "code.example.com"),
        "spec.expose.ingress.tlsSecretName",
        operator=("add it",),
        server=("Required",),
    ),
    Invalid(
        "certificates from nowhere",
        {"caBundle": {}},
        "spec.caBundle",
        ("exactly one of configMapRef and secretRef",),
    ),
    Invalid("an unknown field", nest("gateway.replica", 2), "spec.gateway.replica", ("unknown field",)),
    Invalid(
        "a claim that shrinks",
        nest("vectorStore.storage.size", "1Gi"),
        "spec.vectorStore.storage.size",
        ("cannot be made smaller",),
        update=True,
    ),
    Invalid(
        "a claim in another class",
        nest("modelCache.storageClassName", "fast"),
        "spec.modelCache.storageClassName",
        ("cannot be changed",),
        update=True,
    ),
    Invalid(
        "claims in another class",
        {"storageClassName": "fast"},
        "spec.storageClassName",
        ("cannot be changed",),
        update=True,
    ),
)

INVALID_NAMES = ("Demo", "1demo", "a" * 25, "demo-", "de.mo", "demo-active")
