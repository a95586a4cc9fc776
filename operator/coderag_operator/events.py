"""What is worth an Event: the moments at which a stack's status turns, and new keys. Pure; nothing at rest."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from coderag_operator.failover.decide import Decision
from coderag_operator.observed.roles import ROLLED_BACK, RoleState, Rollout

Conditions = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Notice:
    """One Event, before it has a time and an object."""

    type: str  # Normal or Warning
    reason: str
    message: str


def find_notices(before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]]) -> tuple[Notice, ...]:
    """Return the Events that the change from one list of conditions to another is worth."""
    return tuple(compare(*({str(one["type"]): one for one in conditions} for conditions in (before, after))))


def compare(old: Conditions, new: Conditions) -> Iterator[Notice]:
    """Yield an Event for each turn that people want to hear of."""
    if turned(old, new, "Ready"):
        yield Notice("Normal", "Ready", str(new["Ready"]["message"]))
    if turned(old, new, "ModelsFetched") and new["ModelsFetched"]["reason"] == "AllFetched":
        yield Notice("Normal", "ModelsFetched", str(new["ModelsFetched"]["message"]))
    stalled = new.get("Stalled", {})
    same = (old.get("Stalled", {}).get("reason"), old.get("Stalled", {}).get("message"))
    if stalled.get("status") == "True" and same != (stalled["reason"], stalled["message"]):
        yield Notice("Warning", str(stalled["reason"]), str(stalled["message"]))
    if turned(old, new, "Degraded") and is_true(old, "Ready"):
        yield Notice("Warning", "Degraded", str(new["Degraded"]["message"]))
    if turned(old, new, "FailoverActive"):
        yield Notice("Warning", "FailoverActive", str(new["FailoverActive"]["message"]))


def tell(before: Mapping[str, RoleState], decision: Decision) -> Iterator[Notice]:
    """Yield an Event for each move of a role, each wedged server, and each turn of a rollout."""
    for server in decision.wedged:
        yield Notice("Warning", "Wedged", f"pod {server.name} holds requests and gets nowhere: it is replaced")
    for role, now in decision.states.items():
        old = before.get(role, RoleState())
        yield from compare_roles(role, old, now)
        yield from compare_rollouts(role, old.rollout, now.rollout)


def compare_roles(role: str, old: RoleState, now: RoleState) -> Iterator[Notice]:
    """Yield an Event when somebody else answers for a role than before."""
    if went_over(old, now):
        kind = "Normal" if now.reason == "Rollout" else "Warning"
        yield Notice(kind, "Failover", f"{role} is served by {now.active}: {now.reason}")
    if old.active and not now.active:
        yield Notice("Normal", "Failback", f"{role} is served by its own model again")


def find_moves(before: Mapping[str, RoleState], now: Mapping[str, RoleState]) -> Iterator[tuple[str, str]]:
    """Yield the roles that have gone to the other model, and why."""
    for role, state in now.items():
        if went_over(before.get(role, RoleState()), state):
            yield role, state.reason


def went_over(old: RoleState, now: RoleState) -> bool:
    """Tell whether a role has gone to the other model."""
    return bool(now.active) and not old.active


def compare_rollouts(role: str, old: Rollout | None, now: Rollout | None) -> Iterator[Notice]:
    """Yield an Event when a rollout begins, ends or is undone."""
    if now and (old is None or old.revision != now.revision):
        yield Notice("Normal", "RolloutStarted", f"{role} gets a new server, revision {now.revision}")
    if now and now.step == ROLLED_BACK and (old is None or old.step != now.step):
        yield Notice("Warning", "RolledBack", f"{role}: {now.message}; the server before is put back")
    if old and now is None and old.step == "Returning":
        yield Notice("Normal", "RolloutDone", f"{role} is served by its new server, revision {old.revision}")


def turned(old: Conditions, new: Conditions, kind: str) -> bool:
    """Tell whether a condition has become True."""
    return is_true(new, kind) and not is_true(old, kind)


def is_true(conditions: Conditions, kind: str) -> bool:
    """Tell whether a condition is there and True."""
    return conditions.get(kind, {}).get("status") == "True"


def announce_keys(first: bool, name: str) -> Notice:
    """Return the Event for a keys Secret that was made."""
    if first:
        return Notice("Normal", "KeysCreated", f"created Secret {name} with random keys")
    return Notice(
        "Warning",
        "KeysRecreated",
        f"Secret {name} was gone: it has new keys, pods roll, and users need the new api-key",
    )
