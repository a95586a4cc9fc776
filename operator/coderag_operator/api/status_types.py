"""The shape of status. Only the CRD is made from it; status.py writes plain data."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from coderag_operator.api.base import Model
from coderag_operator.api.vram_status import VramMeasured, VramPlan

Text = Annotated[str, Field(max_length=256)]
LongText = Annotated[str, Field(max_length=32768)]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
NEVER = "1970-01-01T00:00:00Z"


def _by(key: str) -> dict[str, Any]:
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


class Condition(Model):
    """One condition, in the usual form."""

    type: Annotated[str, Field(max_length=316)] = Field(description="What the condition is about.")
    status: Literal["True", "False", "Unknown"] = Field(description="True, False or Unknown.")
    reason: Annotated[str, Field(max_length=1024)] = Field(description="Why, in one word.")
    message: LongText = Field(description="Why, for people, and what to do.")
    last_transition_time: Time = Field(description="When status changed last.")
    observed_generation: int | None = Field(None, description="Generation of the spec that the condition speaks of.")


class Summary(Model):
    """Short texts for the columns of kubectl get."""

    serving: Text | None = Field(
        None, description="Which model answers for which role, for example chat=chat,code=code."
    )
    vram: Text | None = Field(None, description="What the memory plan takes of its budget, for example 5.1/5.5Gi.")
    indexed: Text | None = Field(None, description="Commit that is indexed, or how many repositories are.")


class RoleRollout(Model):
    """A change of a model that is under way or was refused."""

    step: Text = Field(
        description="Waiting, Shifting, Draining, Starting, Verifying or Returning; RolledBack after a failure."
    )
    since: Time | None = Field(None, description="When the step began.")
    message: LongText | None = Field(None, description="What is being waited for, or what went wrong.")


class Role(Model):
    """Who answers for a role."""

    role: Text = Field(description="chat or code.")
    active: Text | None = Field(None, description="Model that answers.")
    since: Time | None = Field(None, description="Since when.")
    from_: Text | None = Field(None, alias="from", description="Model that answered before.")
    reason: Text | None = Field(None, description="Why this one.")
    flaps: int | None = Field(None, description="Failovers within failover.flapWindow.")
    rollout: RoleRollout | None = Field(None, description="The change of the model that is under way.")


class RefStatus(Model):
    """What is indexed of one more branch or tag."""

    ref: Text = Field(description="Branch or tag in refs.")
    state: Text | None = Field(None, description="Pending, Syncing, Served or Failed.")
    commit: Text | None = Field(None, description="Commit that searches see.")
    indexed_at: Time | None = Field(None, description="When that commit was indexed.")
    message: Text | None = Field(None, description="What went wrong, and what to do.")


class RepositoryStatus(Model):
    """What is indexed of a repository."""

    name: Text = Field(description="Name in spec.repositories.")
    ref: Text | None = Field(None, description="Branch or tag.")
    state: Text | None = Field(None, description="Pending, Syncing, Served or Failed.")
    commit: Text | None = Field(None, description="Commit that searches see.")
    indexed_at: Time | None = Field(None, description="When that commit was indexed.")
    files: int | None = Field(None, description="Files that are indexed.")
    chunks: int | None = Field(None, description="Pieces of text that are indexed.")
    skipped: int | None = Field(None, description="Files that were left out.")
    message: LongText | None = Field(None, description="What went wrong, and what to do.")
    refs: Annotated[tuple[RefStatus, ...], Field(max_length=8, json_schema_extra=_by("ref"))] | None = Field(
        None, description="The refs besides that one."
    )


class PromotionStatus(Model):
    """How the change to an index for another embedding model stands."""

    state: Text = Field(description="Building, Waiting, Promoted or Refused.")
    from_: Text | None = Field(None, alias="from", description="The index that answers.")
    to: Text | None = Field(None, description="The index that is to take over.")
    queries: int | None = Field(None, description="Queries that both were measured with.")
    ndcg_change: float | None = Field(None, description="Change of nDCG@10 by the new one.")
    upper95: float | None = Field(None, description="Upper 95 % bound of that change.")
    reason: LongText | None = Field(None, description="Why it waits or was refused.")
    since: Time | None = Field(None, description="Since when.")


class IndexStatus(Model):
    """The index that answers, and the one that is to take over."""

    model: Text | None = Field(None, description="Embedding model that it was built with.")
    promotion: PromotionStatus | None = Field(None, description="How a change of the model stands.")


class GateResult(Model):
    """A mean that had to be reached."""

    gate: Text = Field(description="Set, measure and least mean.")
    passed: bool = Field(description="Whether it was reached.")


class Figure(Model):
    """The mean of a measure over a set of questions."""

    set: Text = Field(description="Set of questions.")
    measure: Text = Field(description="Measure, for example ndcg@10.")
    value: float = Field(description="The mean.")
    low: float = Field(description="Lower bound of its 95 % interval.")
    high: float = Field(description="Upper bound of its 95 % interval.")


class EvaluationStatus(Model):
    """What the last evaluation found."""

    finished_at: Time | None = Field(None, description="When it ended.")
    passed: bool | None = Field(None, description="Whether every question was answered and every gate reached.")
    questions: int | None = Field(None, description="Questions that were asked.")
    failed: int | None = Field(None, description="Questions that got no answer.")
    gates: Annotated[tuple[GateResult, ...], Field(max_length=16)] | None = Field(None, description="The gates.")
    figures: Annotated[tuple[Figure, ...], Field(max_length=32)] | None = Field(None, description="The means.")
    message: LongText | None = Field(None, description="Why there is no report.")


class Endpoints(Model):
    """Addresses of the stack."""

    gateway: Text | None = Field(None, description="OpenAI-compatible endpoint, inside the cluster.")
    rag: Text | None = Field(None, description="Search and ask, inside the cluster.")
    external: Text | None = Field(None, description="Address for people outside the cluster.")


class StackStatus(Model):
    """What a stack is. Written by the operator alone, whole, in one write.

    Nothing in it has a default of the API server's: a status that comes back must equal the one that was written.
    """

    # A stack that no operator has seen yet must not look finished to whoever waits for it.
    DEFAULT: ClassVar[dict[str, Any]] = {
        "conditions": [
            {
                "type": kind,
                "status": status,
                "reason": "Pending",
                "message": "no operator has looked at this stack yet",
                "lastTransitionTime": NEVER,
            }
            for kind, status in (("Ready", "Unknown"), ("Reconciling", "True"))
        ]
    }

    observed_generation: int | None = Field(None, description="Generation of the spec that this status speaks of.")
    conditions: Annotated[tuple[Condition, ...], Field(max_length=32, json_schema_extra=_by("type"))] | None = Field(
        None, description="Conditions; docs/architecture.md says what each means."
    )
    summary: Summary | None = Field(None, description="Short texts for the columns of kubectl get.")
    roles: Annotated[tuple[Role, ...], Field(max_length=8, json_schema_extra=_by("role"))] | None = Field(
        None, description="Who answers for each role."
    )
    repositories: (
        Annotated[tuple[RepositoryStatus, ...], Field(max_length=64, json_schema_extra=_by("name"))] | None
    ) = Field(None, description="What is indexed of each repository.")
    index: IndexStatus | None = Field(None, description="The index that answers.")
    evaluation: EvaluationStatus | None = Field(None, description="What the last evaluation found.")
    vram_plan: VramPlan | None = Field(None, description="How the model servers share the GPU's memory.")
    vram_measured: VramMeasured | None = Field(None, description="What they said of their own buffers.")
    endpoints: Endpoints | None = Field(None, description="Addresses of the stack.")
