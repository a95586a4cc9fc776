"""Who answers for a role and why, as a fact: what a failover and a rollout have to remember over a restart."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from coderag_operator.observed.entries import number_of, text_of

OWN = ""
ROLLED_BACK = "RolledBack"


@dataclass(frozen=True, slots=True)
class Rollout:
    """A change of a role's server. Times are in seconds of the epoch; `previous` is the ReplicaSet to go back to."""

    revision: str
    step: str
    since: int
    previous: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class RoleState:
    """Who answers: `active` is empty while the role's own server does. `failovers` are the times of the unplanned ones.

    `served`: its own server has answered before, so that its absence is a failure and not a first start. `rejected` is
    a template revision that was rolled back, `memory` what the server that runs was reckoned to take, in MiB.
    """

    active: str = OWN
    since: int = 0
    reason: str = ""
    failovers: tuple[int, ...] = field(default=())
    served: bool = False
    rollout: Rollout | None = None
    rejected: str = ""
    memory: int = 0

    @property
    def under_way(self) -> Rollout | None:
        """Return the rollout that is in progress, None when there is none or it was undone."""
        return self.rollout if self.rollout and self.rollout.step != ROLLED_BACK else None


def read_role(entry: Mapping[str, Any]) -> RoleState:
    """Return a role's state from its fact; what is missing or of another type counts as unknown."""
    rollout = entry.get("rollout")
    failovers = entry.get("failovers")
    return RoleState(
        active=text_of(entry, "active"),
        since=number_of(entry, "since"),
        reason=text_of(entry, "reason"),
        failovers=tuple(one for one in failovers if isinstance(one, int)) if isinstance(failovers, list) else (),
        served=entry.get("served") is True,
        rollout=_read_rollout(rollout) if isinstance(rollout, dict) else None,
        rejected=text_of(entry, "rejected"),
        memory=number_of(entry, "memory"),
    )


def _read_rollout(entry: Mapping[str, Any]) -> Rollout:
    texts = {name: text_of(entry, name) for name in ("revision", "step", "previous", "message")}
    return Rollout(**texts, since=number_of(entry, "since"))


def write_role(state: RoleState) -> dict[str, Any]:
    """Return the fact of a role; empty when there is nothing to remember."""
    rollout = state.rollout
    entry: dict[str, Any] = {
        "active": state.active, "since": state.since, "reason": state.reason, "failovers": list(state.failovers),
        "served": state.served, "rejected": state.rejected, "memory": state.memory,
        "rollout": rollout and {
            "revision": rollout.revision, "step": rollout.step, "since": rollout.since, "previous": rollout.previous,
            "message": rollout.message,
        },
    }  # fmt: skip
    return {name: value for name, value in entry.items() if value}
