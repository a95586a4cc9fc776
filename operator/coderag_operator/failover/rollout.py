"""A new template of a model server, on a GPU that has no memory for two: shift, drain, start, verify, return.

    Waiting ── the other role is in the middle of its own ──► Shifting ── the stand-in is labelled ──► Draining
    Draining ── the old pod is gone ──► Starting ── Ready ──► Verifying ── canaries ──► Returning ── labels ──► done
    Starting, Verifying ── past the deadline ──► RolledBack: the previous ReplicaSet's template is applied again

The Deployment is paused with the new template in it until Draining, so that the old pod keeps serving.
"""

from dataclasses import dataclass, replace

from coderag_operator.failover.servers import Role
from coderag_operator.failover.switch import CANARIES, PLANNED, Limits, go_home
from coderag_operator.observed.roles import OWN, ROLLED_BACK, RoleState, Rollout

WAITING, SHIFTING, DRAINING = "Waiting", "Shifting", "Draining"
STARTING, VERIFYING, RETURNING = "Starting", "Verifying", "Returning"
HELD = (WAITING, SHIFTING)


@dataclass(frozen=True, slots=True)
class Order:
    """What to do with a role's Deployment: apply it, paused or not; or put a ReplicaSet's template back."""

    paused: bool = False
    restore: str = ""
    frozen: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """A role's state after a look at its rollout, what to do with the Deployment, seconds until the next look."""

    state: RoleState
    order: Order = Order()
    wait: float | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a rollout depends on besides its own role. `turn`: no other rollout goes first."""

    other: Role
    limits: Limits
    deadline: int
    turn: bool
    lent: bool


def advance(state: RoleState, own: Role, wanted: str, around: Surroundings, now: float) -> Step:
    """Return the next state of a role's rollout towards the template revision `wanted`."""
    if state.rejected and state.rejected != wanted:
        state = replace(state, rejected="", rollout=None)
    if not own.wanted or not wanted:  # nothing is to run, or its template cannot be told at the moment
        return Step(state)
    if not own.exists:
        return Step(replace(state, rejected="", rollout=None))
    if state.rejected:
        return keep_back(state, own)
    if not state.under_way:
        if is_settled(own, wanted):
            return Step(replace(state, rollout=None))
        state = begin(state, own, wanted, now)
    else:
        state = turn_round(state, own, wanted, now)
    return walk(state, own, around, now)


def is_settled(own: Role, wanted: str) -> bool:
    """Tell whether the Deployment and every pod have the wanted template."""
    return own.revision == wanted and all(server.revision == wanted for server in own.servers)


def begin(state: RoleState, own: Role, wanted: str, now: float) -> RoleState:
    """Start a rollout; the ReplicaSet of the pod that serves is the one to go back to."""
    previous = next((one.controller for one in own.servers if one.ready and one.revision != wanted), "")
    return replace(state, rollout=Rollout(wanted, WAITING, int(now), previous))


def turn_round(state: RoleState, own: Role, wanted: str, now: float) -> RoleState:
    """Take up a spec that changed again during the rollout, back to what runs perhaps."""
    rollout = the(state)
    if rollout.step in HELD and is_settled(own, wanted):
        return go(go_home(state, now) if state.active else state, RETURNING, now)
    if rollout.revision == wanted:
        return state
    step = rollout.step if rollout.step in HELD else DRAINING
    return replace(state, rollout=Rollout(wanted, step, int(now), rollout.previous))


def the(state: RoleState) -> Rollout:
    """Return the rollout of a state that is known to have one."""
    assert state.rollout is not None  # noqa: S101  steps are steps of a rollout
    return state.rollout


def walk(state: RoleState, own: Role, around: Surroundings, now: float) -> Step:
    """Take the steps that can be taken now."""
    before = ""
    while state.rollout is not None and state.rollout.step != before:
        before = state.rollout.step
        state = STEPS[before](state, own, around, now)
    return Step(state, give_order(state, own), find_wait(state, around, now))


def give_order(state: RoleState, own: Role) -> Order:
    """Return what is to happen to the Deployment at this step."""
    if state.rejected:
        return keep_back(state, own).order
    return Order(paused=state.rollout is not None and state.rollout.step in HELD)


def keep_back(state: RoleState, own: Role) -> Step:
    """Keep a refused template out: restore the one before it, then leave the Deployment alone."""
    undone = own.revision not in (state.rejected, "")
    return Step(state, Order(restore="" if undone else the(state).previous, frozen=True))


def find_wait(state: RoleState, around: Surroundings, now: float) -> float | None:
    """Return the seconds to the deadline of the step, None when it has none."""
    rollout = state.rollout
    if rollout is None or rollout.step not in (STARTING, VERIFYING) or not rollout.previous:
        return None
    return max(1.0, rollout.since + around.deadline - now)


def go(state: RoleState, step: str, now: float, message: str = "") -> RoleState:
    """Return the state at another step."""
    return replace(state, rollout=replace(the(state), step=step, since=int(now), message=message))


def say(state: RoleState, message: str) -> RoleState:
    """Return the state at the same step with what is waited for."""
    return replace(state, rollout=replace(the(state), message=message))


def wait_for_turn(state: RoleState, own: Role, around: Surroundings, now: float) -> RoleState:
    """Let the other role's rollout pass: both servers are never away at once."""
    if not own.usable or around.turn:  # a server that does not answer has nothing to wait for
        return go(state, SHIFTING, now)
    return say(state, f"waits for the rollout of {around.other.name}")


def shift(state: RoleState, own: Role, around: Surroundings, now: float) -> RoleState:
    """Move the role to the other model, as far as there is one that may answer."""
    if not own.usable or not around.limits.allowed:
        return go(state, DRAINING, now)
    if state.active == OWN and around.other.usable and not around.lent:
        state = replace(state, active=around.other.name, since=int(now), reason=PLANNED)
    if state.active == OWN:
        return say(state, f"waits until {around.other.name} can answer for {own.name}")
    labelled = any(server.usable and own.name in server.serves for server in around.other.servers)
    still_open = any(server.verified or own.name in server.serves for server in own.servers if not server.leaving)
    return go(state, DRAINING, now) if labelled and not still_open else say(state, f"{around.other.name} takes over")


def drain(state: RoleState, own: Role, around: Surroundings, now: float) -> RoleState:
    """Wait until the old pod has finished what it holds and is gone."""
    wanted = the(state).revision
    old = [server for server in own.servers if server.revision != wanted]
    if own.paused or old or own.revision != wanted:
        return say(state, "the old server finishes its requests")
    return go(state, STARTING, now)


def start(state: RoleState, own: Role, around: Surroundings, now: float) -> RoleState:
    """Wait until the new pod is ready, or the deadline has passed."""
    if own.usable:
        return go(state, VERIFYING, the(state).since)  # one deadline for both steps
    return expire(say(state, "the new server loads its model"), around, now, "did not become ready")


def verify(state: RoleState, own: Role, around: Surroundings, now: float) -> RoleState:
    """Wait until the new server has answered canaries in a row."""
    server = own.own
    if server is None or not server.usable:
        return expire(go(state, STARTING, the(state).since), around, now, "did not stay ready")
    if server.canaries >= CANARIES:
        return go(go_home(state, now) if state.active else state, RETURNING, now)
    trouble = server.trouble or "no answer yet"
    return expire(say(state, f"canaries: {trouble}"), around, now, f"did not pass its canaries ({trouble})")


def come_home(state: RoleState, own: Role, around: Surroundings, now: float) -> RoleState:
    """Wait until the labels say that the role's own server serves again."""
    if state.active:  # it failed in the meantime: that is a failover now, with its own way back
        return replace(state, rollout=None)
    back = any(server.usable and own.name in server.serves for server in own.servers)
    lent = any(own.name in server.serves for server in around.other.servers)
    return replace(state, rollout=None) if back and not lent else say(state, "the role returns to its own server")


def expire(state: RoleState, around: Surroundings, now: float, problem: str) -> RoleState:
    """Refuse the new template once its time is up, if there is one to go back to."""
    rollout = the(state)
    if now < rollout.since + around.deadline or not rollout.previous:
        return state
    refused = go(state, ROLLED_BACK, now, f"the new server {problem} within {around.deadline} s")
    return replace(refused, rejected=rollout.revision)


def stay(state: RoleState, own: Role, around: Surroundings, now: float) -> RoleState:
    """Change nothing: a refused template waits for another spec."""
    return state


STEPS = {
    WAITING: wait_for_turn,
    SHIFTING: shift,
    DRAINING: drain,
    STARTING: start,
    VERIFYING: verify,
    RETURNING: come_home,
    ROLLED_BACK: stay,
}
