"""The evaluation of a stack: questions with known answers, put to its search, once or on a schedule."""

from typing import Annotated

from pydantic import AfterValidator, Field

from coderag_operator.api.base import Model, Rule
from coderag_operator.api.parts import ComponentSettings, ConfigMapKey, SecretKey
from coderag_operator.api.repositories import AS_SET, RepositoryName, Schedule, unique
from coderag_operator.api.servers import HttpUrl

# What may stand in the table and is measured: a set of questions, a measure, the least mean.
GATE_PATTERN = r"^([^:<>=\s]{1,32}:)?[a-z0-9@-]{1,32}>=[0-9]{1,3}(\.[0-9]{1,6})?$"
Gate = Annotated[str, Field(pattern=GATE_PATTERN, max_length=80)]
# Kubernetes counts Sunday as 0 only.
OwnSchedule = Annotated[
    Schedule,
    Rule(
        cel="!self.matches('7[^ ]*$')",
        message="the day of the week has a 7",
        remedy="write Sunday as 0",
        holds=lambda schedule: "7" not in schedule.split()[-1],
    ),
]


class Questions(Model):
    """Where the questions come from."""

    config_map_ref: ConfigMapKey = Field(
        description="Key of a ConfigMap with one JSON object a line, as `coderag-eval mine` writes them. Required: "
        "there are no questions to guess."
    )


class Judge(Model):
    """An OpenAI-compatible endpoint that grades answers."""

    base_url: HttpUrl = Field(description="Base address, usually ending in /v1. Required: it cannot be guessed.")
    model: Annotated[str, Field(min_length=1, max_length=253)] = Field(
        description="Name of the model at that endpoint. Required: endpoints serve several."
    )
    api_key_secret_ref: SecretKey | None = Field(
        None, description="Secret key with the endpoint's API key; left out, none is sent."
    )


class Evaluation(ComponentSettings):
    """How well the stack finds and answers, measured with questions whose answers are known."""

    questions: Questions = Field(description="The questions. Required: there are none to guess.")
    repositories: Annotated[
        tuple[RepositoryName, ...], Field(max_length=64, json_schema_extra=AS_SET), AfterValidator(unique)
    ] = Field(default=(), description="Names of the repositories that are searched; none: every one.")
    gates: Annotated[tuple[Gate, ...], Field(max_length=16, json_schema_extra=AS_SET), AfterValidator(unique)] = Field(
        default=(), description="Means that must be reached, for example ndcg@10>=0.5 or korean:r@5>=0.4."
    )
    judge: Judge | None = Field(None, description="Who grades answers; left out, nobody does.")
    schedule: OwnSchedule | None = Field(
        None,
        description="When it runs: five cron fields, in UTC, numbers only, Sunday is 0. Left out, once for each change "
        "of questions, settings or images.",
    )
