"""The components besides the language models: what can be set on each."""

from typing import Annotated, ClassVar

from pydantic import Field

from coderag_operator.api.base import Model, Rule
from coderag_operator.api.embedding import Replicas
from coderag_operator.api.parts import (
    NO_SHRINKING,
    SAME_CLASS,
    ComponentSettings,
    DeletionPolicy,
    ObjectName,
    Storage,
)
from coderag_operator.api.quantity import Between, DurationText, Size, seconds
from coderag_operator.api.repositories import Schedule


class VectorStore(ComponentSettings):
    """Qdrant, where the index lives."""

    storage: Storage = Field(default_factory=Storage, description="The claim that holds the index.")
    deletion_policy: DeletionPolicy = Field(
        "Retain",
        description="What happens to the claim with the stack. A new stack of that name takes up a retained one.",
    )


class ModelCache(ComponentSettings):
    """The claim that model files are downloaded onto, and the Jobs that do it."""

    RULES: ClassVar = (SAME_CLASS, NO_SHRINKING)

    size: Size = Field("20Gi", description="Size of the claim; leave room for two versions of each model.")
    storage_class_name: ObjectName | None = Field(
        None, description="Storage class; left out, spec.storageClassName. It cannot be changed later."
    )
    deletion_policy: DeletionPolicy = Field(
        "Delete", description="What happens to the claim when the stack is deleted."
    )


class GatewayTimeouts(Model):
    """How long a call of a language model may take."""

    request: Annotated[DurationText, Between("1s", "1h")] = Field(
        "60s", description="A whole answer. A model server that is told to stop has this long, plus 15 s, to finish."
    )
    connect: Annotated[DurationText, Between("1s", "5m")] = Field("10s", description="Opening a connection.")
    first_token: Annotated[DurationText, Between("1s", "1h")] | None = Field(
        None,
        description="The first piece of an answer; after that the other model is asked. Left out, half of request: the "
        "other half is the other model's.",
    )


class Gateway(ComponentSettings):
    """The one address for users: an OpenAI-compatible endpoint that falls back from one model to the other."""

    replicas: Replicas = Field(1, description="Number of pods.")
    timeouts: GatewayTimeouts = Field(
        default_factory=GatewayTimeouts, description="How long a call of a model may take."
    )
    allowed_fails: Annotated[int, Field(ge=1, le=100)] = Field(
        3,
        description="Failures of a model within `cooldown`, after which the other one is asked first for that long.",
    )
    cooldown: Annotated[DurationText, Between("1s", "10m")] = Field(
        "15s", description="How long the other one is asked first."
    )


class RagTimeouts(Model):
    """How long the calls of the rag service may take."""

    llm: Annotated[DurationText, Between("1s", "1h")] = Field(
        "120s", description="An answer of a language model, fallbacks included."
    )
    qdrant: Annotated[DurationText, Between("1s", "10m")] = Field("30s", description="A call of Qdrant.")
    embedding: Annotated[DurationText, Between("1s", "10m")] = Field(
        "30s", description="A call of the embedding service."
    )


class Retries(Model):
    """How failed calls of Qdrant and the embedding service are repeated, inside the deadline of the request."""

    RULES: ClassVar = (
        Rule(
            cel="!has(self.minWait) || !has(self.maxWait) || duration(self.minWait) <= duration(self.maxWait)",
            message="minWait is longer than maxWait",
            remedy="lower minWait or raise maxWait",
            holds=lambda retries: seconds(retries.min_wait) <= seconds(retries.max_wait),
            field="minWait",
        ),
    )

    attempts: Annotated[int, Field(ge=1, le=10)] = Field(3, description="Number of tries, the first included.")
    min_wait: Annotated[DurationText, Between("1s", "1m")] = Field(
        "2s", description="Wait before the first repetition; it doubles."
    )
    max_wait: Annotated[DurationText, Between("1s", "5m")] = Field("10s", description="Longest wait between two tries.")


class Rag(ComponentSettings):
    """The service that searches and answers."""

    replicas: Replicas = Field(1, description="Number of pods.")
    timeouts: RagTimeouts = Field(default_factory=RagTimeouts, description="How long its calls may take.")
    retries: Retries = Field(
        default_factory=Retries, description="How its failed calls are repeated; ingestion follows it too."
    )


class Ingestion(ComponentSettings):
    """The worker that clones repositories and writes the index."""

    storage: Storage = Field(
        default_factory=Storage, description="The claim that holds bare clones; it is deleted with the stack."
    )
    reconcile_schedule: Schedule = Field(
        "17 3 * * *", description="When the whole index is compared with Git: five cron fields, in UTC, numbers only."
    )
