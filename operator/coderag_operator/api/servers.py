"""The language models of a stack: one llama.cpp server or one external endpoint per role."""

import hashlib
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, WithJsonSchema

from coderag_operator.api.base import Model, Rule
from coderag_operator.api.parts import ComponentSettings, ObjectName, SecretKey

HttpUrl = Annotated[str, Field(pattern=r"^https?://[^\s/@]+(/[^\s]*)?$", max_length=2048)]

ON_CLAIM = "pvc-"  # begins the key of a model file on a claim of the user's
LEAST_CONTEXT = 2048  # tokens: below it a prompt with retrieved code has no room for an answer

GPU_LAYERS = Rule(
    cel="type(self) == int ? int(self) >= 0 && int(self) <= 999 : string(self) in ['Auto', 'All']",
    message="the number of layers on the GPU is out of bounds",
    remedy="give Auto, All or a number from 0 to 999; 0 keeps the model on the CPU",
    holds=lambda value: value in ("Auto", "All") or (isinstance(value, int) and 0 <= value <= 999),
)
GpuLayers = Annotated[
    int | str,
    WithJsonSchema({"x-kubernetes-int-or-string": True, "maxLength": 16}),
    GPU_LAYERS,
]


def exactly_one(one: str, other: str, attributes: tuple[str, str]) -> Rule:
    """Return the rule that exactly one of two fields is set."""

    def holds(value: Any) -> bool:
        return sum(getattr(value, name) is not None for name in attributes) == 1

    return Rule(
        cel=f"has(self.{one}) != has(self.{other})",
        message=f"exactly one of {one} and {other} must be set",
        remedy="keep one of them",
        holds=holds,
    )


class HttpSource(Model):
    """A GGUF file that is downloaded onto the model cache and verified."""

    url: HttpUrl = Field(description="Address of the GGUF file, http or https. Required: there is no model to guess.")
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", max_length=64)] = Field(
        description="SHA-256 of the file in lower-case hex. Required: nothing unverified is served."
    )
    token_secret_ref: SecretKey | None = Field(
        None, description="Secret key with a bearer token for the download; left out, none is sent."
    )


class ClaimSource(Model):
    """A GGUF file on a volume claim of yours."""

    RULES: ClassVar = (
        Rule(
            cel="!self.path.split('/').exists(part, part == '..' || part == '.')",
            message="the path leaves the claim",
            remedy="give a path below the root of the claim, without . and ..",
            holds=lambda source: not {".", ".."} & set(source.path.split("/")),
            field="path",
        ),
    )

    claim_name: ObjectName = Field(
        description="PersistentVolumeClaim in the stack's namespace; it is mounted read-only. Required."
    )
    path: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$", max_length=512)] = Field(
        description="Path of the GGUF file below the root of the claim. Required."
    )


class Source(Model):
    """Where the model file comes from: exactly one of http and pvc."""

    RULES: ClassVar = (exactly_one("http", "pvc", ("http", "pvc")),)

    http: HttpSource | None = Field(None, description="Download the file, verify it and keep it on the model cache.")
    pvc: ClaimSource | None = Field(None, description="Use a file that already lies on a claim.")

    @property
    def key(self) -> str:
        """Return what names the file: its SHA-256, or a digest of the claim and the path."""
        if self.http:
            return self.http.sha256
        assert self.pvc is not None  # noqa: S101  the rule: exactly one of the two
        return f"{ON_CLAIM}{hashlib.sha256(f'{self.pvc.claim_name}/{self.pvc.path}'.encode()).hexdigest()[:16]}"


class LlamaCpp(ComponentSettings):
    """A llama.cpp server that the operator runs. What is Auto or left out is chosen by the VRAM plan."""

    RULES: ClassVar = (
        Rule(
            cel="!has(self.minContextTokens) || self.minContextTokens <= self.contextTokens",
            message="minContextTokens is larger than contextTokens",
            remedy="lower minContextTokens, or leave it out",
            holds=lambda server: (server.min_context_tokens or 0) <= server.context_tokens,
            field="minContextTokens",
        ),
    )

    source: Source = Field(description="Where the model file comes from. Required: there is no model to guess.")
    context_tokens: Annotated[int, Field(ge=1024, le=1048576)] = Field(
        4096, description="Context of one request in tokens, prompt and answer; the server holds `parallel` of them."
    )
    min_context_tokens: Annotated[int, Field(ge=512, le=1048576)] | None = Field(
        None,
        description="Context down to which the VRAM plan may go before it takes layers off the GPU; left out, 2048, or "
        "contextTokens where that is less.",
    )
    parallel: Annotated[int, Field(ge=1, le=64)] = Field(2, description="Requests that are answered at the same time.")
    gpu_layers: GpuLayers = Field(
        "Auto",
        description="Layers on the GPU: Auto (as many as fit), All, or a number as --n-gpu-layers takes it. With "
        "gpu.sharing None every layer is on the CPU.",
    )
    kv_cache_type: Literal["Auto", "f16", "q8_0"] = Field(
        "Auto",
        description="Precision of the key-value cache; q8_0 takes about half of the memory of f16. Auto: f16 where it "
        "fits.",
    )
    ubatch_tokens: Annotated[int, Field(ge=64, le=2048)] | None = Field(
        None,
        description="Tokens of a prompt that are computed at once; fewer take less memory and more time. Left out: "
        "512, or 256 where the VRAM plan needs the room.",
    )

    @property
    def least_context(self) -> int:
        """Return the context down to which the plan may go, in tokens of one request."""
        return self.min_context_tokens or min(LEAST_CONTEXT, self.context_tokens)


class External(Model):
    """An OpenAI-compatible endpoint that somebody else runs."""

    base_url: HttpUrl = Field(
        description="Base address, usually ending in /v1. Required: the endpoint cannot be guessed."
    )
    model: Annotated[str, Field(min_length=1, max_length=253)] = Field(
        description="Name of the model at that endpoint. Required: endpoints serve several."
    )
    api_key_secret_ref: SecretKey | None = Field(
        None, description="Secret key with the endpoint's API key; left out, none is sent."
    )


class ModelServer(Model):
    """Who answers for a role: exactly one of llamaCpp and external."""

    RULES: ClassVar = (exactly_one("llamaCpp", "external", ("llama_cpp", "external")),)

    llama_cpp: LlamaCpp | None = Field(None, description="Run a llama.cpp server.")
    external: External | None = Field(None, description="Use an endpoint that somebody else runs.")


class Models(Model):
    """The two roles of a stack. Each stands in for the other when it is down."""

    chat: ModelServer = Field(description="The model that talks. Required: there is no model to guess.")
    code: ModelServer = Field(
        description="The model that explains and writes code. Required: there is no model to guess."
    )
