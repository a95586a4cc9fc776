"""Who answers for a role: hysteresis in both directions, canaries before a return, a guard against flapping.

The gateway falls back request by request and needs none of this; it is for the Service <stack>-active-<role>.
"""

from dataclasses import dataclass, replace

from coderag_operator.failover.servers import Role
from coderag_operator.observed.roles import OWN, RoleState

CANARIES = 3
LONGEST_WAIT = 900
PLANNED = "Rollout"


@dataclass(frozen=True, slots=True)
class Limits:
    """The stack's settings, in seconds. `allowed`: the other model may answer for this role."""

    allowed: bool
    failover_after: int
    failback_after: int
    dwell: int
    flap_window: int


@dataclass(frozen=True, slots=True)
class Choice:
    """A role's state after a look at it, and the seconds until it may change without anything happening."""

    state: RoleState
    wait: float | None = None


def choose(state: RoleState, own: Role, other: Role, limits: Limits, lent: bool, now: float) -> Choice:
    """Return who answers for a role. `lent`: the other server's own role is served from here, so that it cannot help.

    Never a chain: a server that answers for the other role is asked for no third thing, and nobody stands in for it.
    """
    if not own.wanted:
        return Choice(RoleState(rejected=state.rejected, rollout=state.rollout if state.rejected else None))
    state = forget(state, limits.flap_window, now)
    if own.usable and not state.served:
        state = replace(state, served=True)
    if state.active == OWN:
        return leave(state, own, other, limits, lent, now)
    return come_back(state, own, other, limits, now)


def forget(state: RoleState, window: int, now: float) -> RoleState:
    """Return the state without the failovers that lie too far back to count."""
    recent = tuple(time for time in state.failovers if now - time < window)
    return state if recent == state.failovers else replace(state, failovers=recent)


def leave(state: RoleState, own: Role, other: Role, limits: Limits, lent: bool, now: float) -> Choice:
    """Move a role to the other model when its own server has been down for long enough."""
    able = limits.allowed and other.usable and not lent
    if own.usable or not (able and state.served):
        return Choice(state)
    reason, due = find_cause(own, limits, now)
    if due > now:
        return Choice(state, due - now)
    return Choice(
        replace(state, active=other.name, since=int(now), reason=reason, failovers=(*state.failovers, int(now)))
    )


def find_cause(own: Role, limits: Limits, now: float) -> tuple[str, float]:
    """Return why a role's server does not answer, and when that is reason enough to move."""
    server = own.own
    if server is None or own.leaving:
        return "PodGone", now
    if server.wedged:  # it has been stuck for long enough to be called that
        return "Wedged", now
    return "NotReady", server.turned + limits.failover_after


def come_back(state: RoleState, own: Role, other: Role, limits: Limits, now: float) -> Choice:
    """Give a role back to its own server once that has proved itself, at once when the other one fails."""
    server = own.own
    if server is None or not own.usable:
        return Choice(state)
    if not other.usable:  # any port in a storm
        return Choice(go_home(state, now))
    if state.under_way:  # a rollout has its own rule for the way back
        return Choice(state)
    due = max(server.turned + settle_time(state, limits), planned_or(state, limits.dwell) + state.since)
    if due > now:
        return Choice(state, due - now)
    return Choice(go_home(state, now) if server.canaries >= CANARIES else state)


def settle_time(state: RoleState, limits: Limits) -> int:
    """Return how long a server must be ready before its role comes back: doubled by each failover but the first."""
    flaps = max(0, len(state.failovers) - 1)
    wait = min(limits.failback_after * 2**flaps, max(LONGEST_WAIT, limits.failback_after))
    return planned_or(state, wait)


def planned_or(state: RoleState, seconds: int) -> int:
    """Return the seconds of patience, none after a move that was planned."""
    return 0 if state.reason == PLANNED else seconds


def go_home(state: RoleState, now: float) -> RoleState:
    """Return the state with the role's own server in charge."""
    return replace(state, active=OWN, since=int(now), reason="")
