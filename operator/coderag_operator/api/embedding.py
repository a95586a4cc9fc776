"""The embedding service: which model, where its files come from, how it is served."""

import hashlib
import json
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from coderag_operator.api.base import Model, Rule
from coderag_operator.api.parts import ComponentSettings, ObjectName, SecretKey, Storage
from coderag_operator.api.repositories import refuse_twice
from coderag_operator.api.servers import HttpUrl, exactly_one

IN_IMAGE = "all-MiniLM-L6-v2"
PROFILES = {"en": IN_IMAGE, "multilingual": "KURE-v1"}
ModelName = Literal["all-MiniLM-L6-v2", "bge-small-en-v1.5", "KURE-v1", "gte-modernbert-base", "Qwen3-Embedding-0.6B"]
FOLDER, CLAIM = "folder-", "claim:"  # begin the place of files on the stack's own claim and on one of the user's
Replicas = Annotated[int, Field(ge=1, le=10)]
FilePath = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$", max_length=200)
]


@dataclass(frozen=True, slots=True)
class Lodging:
    """A model and where its files lie: in the image (empty), in a folder of the stack's claim, or on a user's claim."""

    model: str
    place: str = ""

    @property
    def fetched(self) -> bool:
        """Tell whether a Job brings the files onto the stack's own claim."""
        return self.place.startswith(FOLDER)

    @property
    def on_claim(self) -> tuple[str, str]:
        """Return claim and path of files on a claim of the user's; both are empty for others."""
        claim, _, path = self.place.removeprefix(CLAIM).partition("/") if self.place.startswith(CLAIM) else ("", "", "")
        return claim, path


class ModelFile(Model):
    """One file of a model."""

    path: FilePath = Field(
        description="Path below the base address and below the model's folder, for example onnx/model.onnx. Required."
    )
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", max_length=64)] = Field(
        description="SHA-256 of the file in lower-case hex. Required: nothing unverified is served."
    )


def _unique_paths(files: tuple[ModelFile, ...]) -> tuple[ModelFile, ...]:
    refuse_twice([file.path for file in files], "the path", "remove one of the two")
    return files


class HttpFolder(Model):
    """Files of a model that are downloaded onto the stack's claim and verified."""

    url: HttpUrl = Field(description="Base address of the files, http or https. Required: there is none to guess.")
    files: Annotated[
        tuple[ModelFile, ...],
        Field(
            min_length=1,
            max_length=16,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["path"]},
        ),
        AfterValidator(_unique_paths),
    ] = Field(
        description="The files: tokenizer.json and the ONNX graphs, or what coderag_embedding.build wrote. Required."
    )
    token_secret_ref: SecretKey | None = Field(
        None, description="Secret key with a bearer token for the download; left out, none is sent."
    )


class ClaimFolder(Model):
    """A folder with the files of a model on a volume claim of yours."""

    claim_name: ObjectName = Field(
        description="PersistentVolumeClaim in the stack's namespace; it is mounted read-only. Required."
    )
    path: FilePath = Field(description="Path of the folder below the root of the claim. Required.")


class EmbeddingSource(Model):
    """Where the files of an embedding model come from: exactly one of http and pvc."""

    RULES: ClassVar = (exactly_one("http", "pvc", ("http", "pvc")),)

    http: HttpFolder | None = Field(None, description="Download the files, verify them and keep them on a claim.")
    pvc: ClaimFolder | None = Field(None, description="Use a folder that already lies on a claim.")


def _place(source: EmbeddingSource | None) -> str:
    if source is None:
        return ""
    if source.http:
        # By what the files are, not by where they come from: a mirror is no other model.
        files = json.dumps(sorted((file.path, file.sha256) for file in source.http.files))
        return f"{FOLDER}{hashlib.sha256(files.encode()).hexdigest()[:32]}"
    assert source.pvc is not None  # noqa: S101  the rule: exactly one of the two
    return f"{CLAIM}{source.pvc.claim_name}/{source.pvc.path}"


class Embedding(ComponentSettings):
    """The service that turns text into vectors."""

    RULES: ClassVar = (
        Rule(
            cel="has(self.source) || (has(self.model) ? self.model == 'all-MiniLM-L6-v2' : "
            "(!has(self.profile) || self.profile == 'en'))",
            message="the embedding image carries all-MiniLM-L6-v2 alone",
            remedy="say in source where the files of the model are",
            holds=lambda embedding: embedding.source is not None or embedding.wanted_model == IN_IMAGE,
            field="source",
        ),
        Rule(
            cel="!has(self.fallback) || (has(self.model) ? self.model != self.fallback : "
            "(has(self.profile) && self.profile == 'multilingual'))",
            message="the fallback is the model itself",
            remedy="remove fallback, or choose another model",
            holds=lambda embedding: embedding.fallback != embedding.wanted_model,
            field="fallback",
        ),
    )

    profile: Literal["en", "multilingual"] = Field(
        "en", description="Languages of code and questions: en is all-MiniLM-L6-v2, multilingual is KURE-v1."
    )
    model: ModelName | None = Field(
        None, description="Embedding model; left out, that of profile. Changing it builds a new index beside the old."
    )
    source: EmbeddingSource | None = Field(
        None, description="Where the model's files are; all-MiniLM-L6-v2 needs none, the image carries it."
    )
    storage: Storage = Field(
        default_factory=Storage,
        description="The claim that source.http is downloaded onto, with room for two models; deleted with the stack.",
    )
    fallback: Literal["all-MiniLM-L6-v2"] | None = Field(
        None,
        description="Model that answers under its own name while the other cannot be loaded; left out, none does. The "
        "index is not searched by meaning then.",
    )
    load: Literal["Eager", "Lazy"] = Field(
        "Eager", description="When a pod loads the model: before it is ready, or with the first request."
    )
    query_cache: Annotated[int, Field(ge=0, le=1000000)] = Field(
        4096, description="Vectors of queries that each pod remembers."
    )
    promotion: Literal["Auto", "Manual"] = Field(
        "Auto",
        description="What happens when an index for another model is ready: it takes over once it is shown not to be "
        "worse, or waits for a person.",
    )
    replicas: Replicas = Field(1, description="Number of pods.")

    @property
    def wanted_model(self) -> str:
        """Return the name of the model."""
        return self.model or PROFILES[self.profile]

    @property
    def lodging(self) -> Lodging:
        """Return the model and where its files lie."""
        return Lodging(self.wanted_model, _place(self.source))
