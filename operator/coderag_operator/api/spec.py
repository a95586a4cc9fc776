"""The spec of a CodeRagStack as a whole."""

from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from coderag_operator.api.base import Model, Rule, always
from coderag_operator.api.components import Gateway, Ingestion, ModelCache, Rag, VectorStore
from coderag_operator.api.embedding import Embedding
from coderag_operator.api.evaluation import Evaluation
from coderag_operator.api.gpu import Gpu
from coderag_operator.api.parts import (
    GOOD_KEYS,
    ConfigMapKey,
    Image,
    LabelKey,
    ObjectName,
    ObjectReference,
    SecretKey,
)
from coderag_operator.api.repositories import Repository, unique_names
from coderag_operator.api.resilience import Failover, Rollout
from coderag_operator.api.servers import HttpUrl, LlamaCpp, Models, ModelServer, exactly_one


class Auth(Model):
    """Where the keys of the stack come from."""

    existing_secret_ref: ObjectReference | None = Field(
        None,
        description="Secret of yours with every key that docs/architecture.md lists; left out, the operator makes "
        "<stack>-keys with random values.",
    )


class Ingress(Model):
    """A way in for people outside the cluster."""

    host: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)] = Field(
        description="Host name. Required: without one the Ingress would catch every host."
    )
    tls_secret_name: ObjectName = Field(
        description="Secret with the certificate; a certificate manager may make it. Required: keys travel in a header."
    )
    class_name: ObjectName | None = Field(None, description="IngressClass; left out, the cluster's default.")
    annotations: Annotated[dict[LabelKey, Annotated[str, Field(max_length=4096)]], Field(max_length=32), GOOD_KEYS] = (
        Field(default_factory=dict, description="Annotations for the Ingress, for its controller.")
    )


class Expose(Model):
    """How people outside the cluster reach gateway and rag."""

    ingress: Ingress | None = Field(
        None, description="One host: search and ask go to rag, everything else to the gateway."
    )


class Images(Model):
    """Images that replace the operator's defaults."""

    llama: Image = Field(default_factory=Image, description="llama.cpp server of chat and code.")
    model: Image = Field(default_factory=Image, description="Model download.")
    embedding: Image = Field(default_factory=Image, description="Embedding service.")
    rag: Image = Field(default_factory=Image, description="Rag service and ingestion worker.")
    gateway: Image = Field(default_factory=Image, description="Gateway.")
    qdrant: Image = Field(default_factory=Image, description="Qdrant.")
    evaluation: Image = Field(default_factory=Image, description="Evaluation of search and answers.")


class Proxy(Model):
    """Proxy for what leaves the cluster: model downloads, Git and external models."""

    http_proxy: HttpUrl | None = Field(None, description="Proxy for http addresses.")
    https_proxy: HttpUrl | None = Field(None, description="Proxy for https addresses.")
    no_proxy: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[^\s,]+$", max_length=253)], ...], Field(max_length=64)
    ] = Field(default=(), description="Hosts and domains that are reached directly; the cluster's own always are.")


class CaBundle(Model):
    """Certificates in PEM form that replace the images' own for what leaves the cluster."""

    RULES: ClassVar = (exactly_one("configMapRef", "secretRef", ("config_map_ref", "secret_ref")),)

    config_map_ref: ConfigMapKey | None = Field(None, description="Key of a ConfigMap with the certificates.")
    secret_ref: SecretKey | None = Field(None, description="Key of a Secret with the certificates.")


def _servers(spec: "StackSpec") -> tuple[LlamaCpp, ...]:
    roles: tuple[ModelServer, ...] = (spec.models.chat, spec.models.code)
    return tuple(role.llama_cpp for role in roles if role.llama_cpp)


def _layers_have_a_gpu(spec: "StackSpec") -> bool:
    return spec.gpu.sharing != "None" or all(server.gpu_layers in ("Auto", "All", 0) for server in _servers(spec))


def _evaluates_its_own(spec: "StackSpec") -> bool:
    named = spec.evaluation.repositories if spec.evaluation else ()
    return {*named} <= {repository.name for repository in spec.repositories}


def _layers_cel(role: str) -> str:
    server = f"self.models.{role}.llamaCpp"
    return f"!has({server}) || string({server}.gpuLayers) in ['Auto', 'All', '0']"


class StackSpec(Model):
    """What a stack should be."""

    RULES: ClassVar = (
        Rule(
            cel="!has(self.gpu.sharing) || self.gpu.sharing != 'None' || "
            f"(({_layers_cel('chat')}) && ({_layers_cel('code')}))",
            message="gpuLayers asks for a GPU, and gpu.sharing None gives none",
            remedy="set gpuLayers to 0, or gpu.sharing to Auto",
            holds=_layers_have_a_gpu,
            field="gpu",
        ),
        Rule(
            cel="!has(self.evaluation) || !has(self.evaluation.repositories) || self.evaluation.repositories.all(name, "
            "has(self.repositories) && self.repositories.exists(one, one.name == name))",
            message="evaluation.repositories names one that is not in repositories",
            remedy="correct the name, or add the repository",
            holds=_evaluates_its_own,
            field="evaluation",
        ),
        Rule(
            cel="has(self.storageClassName) == has(oldSelf.storageClassName) && "
            "(!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",
            message="the storage class of a claim cannot be changed",
            remedy="put the old value back, or delete the stack and its claims first",
            holds=always,
            field="storageClassName",
        ),
    )

    models: Models = Field(description="The language models. Required: there are none to guess.")
    gpu: Gpu = Field(default_factory=Gpu, description="How the model servers share the GPU.")
    embedding: Embedding = Field(default_factory=Embedding, description="The embedding service.")
    vector_store: VectorStore = Field(default_factory=VectorStore, description="Qdrant.")
    model_cache: ModelCache = Field(default_factory=ModelCache, description="Where downloaded models are kept.")
    gateway: Gateway = Field(default_factory=Gateway, description="The OpenAI-compatible endpoint.")
    rag: Rag = Field(default_factory=Rag, description="The search and answer service.")
    ingestion: Ingestion = Field(default_factory=Ingestion, description="The indexing worker.")
    repositories: Annotated[
        tuple[Repository, ...],
        Field(
            max_length=64, json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
        ),
        AfterValidator(unique_names),
    ] = Field(default=(), description="Git repositories that are kept in the index.")
    evaluation: Evaluation | None = Field(
        None, description="A measurement of search and answers; left out, nothing is measured."
    )
    auth: Auth = Field(default_factory=Auth, description="Where the keys come from.")
    expose: Expose = Field(
        default_factory=Expose, description="Access from outside the cluster; left out, there is none."
    )
    failover: Failover = Field(
        default_factory=Failover, description="When one model answers for the other. It takes two llamaCpp models."
    )
    rollout: Rollout = Field(default_factory=Rollout, description="How a new model comes into service.")
    suspend: bool = Field(False, description="Stop every pod at once; claims, keys and addresses stay.")
    maintenance: bool = Field(
        False,
        description="Stop every pod in order, so that work in hand is finished, and say in status when the nodes are "
        "free; false starts the stack again.",
    )
    images: Images = Field(default_factory=Images, description="Images that replace the operator's defaults.")
    image_pull_secrets: Annotated[
        tuple[ObjectReference, ...],
        Field(
            max_length=8, json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
        ),
        AfterValidator(unique_names),
    ] = Field(default=(), description="Secrets for pulling images.")
    storage_class_name: ObjectName | None = Field(
        None,
        description="Storage class of every claim that names none; left out, the cluster's default. It cannot be "
        "changed later.",
    )
    proxy: Proxy = Field(default_factory=Proxy, description="Proxy for what leaves the cluster.")
    ca_bundle: CaBundle | None = Field(
        None, description="Certificates to trust for what leaves the cluster; left out, the images' own."
    )
