"""Names of components, ports, keys and objects: the vocabulary of docs/architecture.md in one place."""

from coderag_operator.api import Stack

CHAT, CODE, EMBEDDING, QDRANT = "chat", "code", "embedding", "qdrant"
PREVIOUS = "embedding-previous"  # the embedding model that the index was built with, while another one is wanted
GATEWAY, RAG, INGESTION, MODELS = "gateway", "rag", "ingestion", "models"
KEYS, NETWORK, FACTS, EXPOSE, GPU, EVALUATION = "keys", "network", "facts", "expose", "gpu", "evaluation"
ROLES = (CHAT, CODE)
COMPONENTS = (
    CHAT, CODE, EMBEDDING, PREVIOUS, QDRANT, GATEWAY, RAG, INGESTION, MODELS, KEYS, NETWORK, FACTS, EXPOSE, GPU,
    EVALUATION,
)  # fmt: skip
IMAGES = ("llama", "model", "embedding", "rag", "gateway", "qdrant", "evaluation")

PORTS = {
    CHAT: 8001, CODE: 8004, EMBEDDING: 8003, PREVIOUS: 8003, QDRANT: 6333, GATEWAY: 8000, RAG: 8002, INGESTION: 8005,
}  # fmt: skip

KEY_NAMES = (
    "api-key",
    "llama-api-key",
    "embedding-api-key",
    "qdrant-api-key",
    "qdrant-read-only-api-key",
    "rag-gateway-key",
    "rag-api-key",
    "gateway-master-key",
)

STACK_LABEL = "coderag.dev/stack"
ROLE_LABEL = "coderag.dev/role"
VERIFIED_LABEL = "coderag.dev/verified"  # on a model server that may be sent requests
ASKS_PREVIOUS_LABEL = "coderag.dev/asks-previous"  # on a search pod that knows of the embedding model before
SHA256_ANNOTATION = "coderag.dev/sha256"
REVISION_ANNOTATION = "coderag.dev/revision"
FIELD_MANAGER = "coderag-operator"


def object_name(stack: Stack, suffix: str) -> str:
    """Return the name of a child; the CRD bounds the stack's name so that every one fits."""
    return f"{stack.name}-{suffix}"


def keys_secret_name(stack: Stack) -> str:
    """Return the Secret that holds the stack's keys: the user's own or the generated one."""
    reference = stack.spec.auth.existing_secret_ref
    return reference.name if reference else object_name(stack, KEYS)


def facts_name(stack: Stack) -> str:
    """Return the ConfigMap of what must outlive pods and operator restarts."""
    return object_name(stack, FACTS)


def cache_claim_name(stack: Stack) -> str:
    """Return the claim that the model files are fetched onto."""
    return object_name(stack, MODELS)


def embedding_claim_name(stack: Stack) -> str:
    """Return the claim that the files of embedding models are fetched onto."""
    return object_name(stack, EMBEDDING)


def service_url(stack: Stack, component: str, service: str = "") -> str:
    """Return the address of a component inside the cluster; it ends in .svc so that one no-proxy entry covers all."""
    return f"http://{object_name(stack, service or component)}.{stack.namespace}.svc:{PORTS[component]}"


def labels(stack: Stack, component: str) -> dict[str, str]:
    """Return the labels of every child."""
    return selector(stack, component) | {"app.kubernetes.io/managed-by": FIELD_MANAGER, STACK_LABEL: stack.name}


def selector(stack: Stack, component: str) -> dict[str, str]:
    """Return the labels that select a component's pods; they never change, because a workload's selector cannot."""
    return {
        "app.kubernetes.io/name": "coderag",
        "app.kubernetes.io/instance": stack.name,
        "app.kubernetes.io/component": component,
    }


def serves_label(role: str) -> str:
    """Return the pod label by which a pod answers for a role."""
    return f"coderag.dev/serves-{role}"
