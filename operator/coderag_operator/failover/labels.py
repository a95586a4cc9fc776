"""Which pods carry which label: serves-<role> is what <stack>-active-<role> selects, verified what <stack>-<role> does.

Templates carry both, so that a pod that comes up while no operator runs serves. Add before remove: two servers
with a role's label do no harm, none would, so a label goes only where another usable pod has it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from coderag_operator.desired.names import VERIFIED_LABEL, serves_label
from coderag_operator.failover.rollout import DRAINING, SHIFTING, STARTING, VERIFYING
from coderag_operator.failover.servers import Role, Server
from coderag_operator.observed.roles import OWN, RoleState

TRIAL, GOING = (DRAINING, STARTING, VERIFYING), (SHIFTING, DRAINING)


@dataclass(frozen=True, slots=True)
class Relabel:
    """One label to put on a pod of a component or take away from it."""

    pod: str
    uid: str
    namespace: str
    component: str
    label: str
    wanted: bool


def plan_labels(states: Mapping[str, RoleState], roles: Mapping[str, Role]) -> tuple[Relabel, ...]:
    """Return the changes of labels, additions first."""
    changes = [change for name, state in states.items() for change in compare(name, state, roles)]
    return tuple(sorted(changes, key=lambda change: not change.wanted))


def compare(role: str, state: RoleState, roles: Mapping[str, Role]) -> Iterator[Relabel]:
    """Yield what differs from the labels that a role's state asks for."""
    helper = roles.get(state.active) if state.active != OWN else None
    covered = helper is not None and helper.usable
    yield from compare_serves(role, helper, covered, roles)
    for server in roles[role].servers:
        wanted = not (covered and is_closed(server, state))
        if server.verified != wanted and not (wanted and server.leaving):
            yield Relabel(server.name, server.uid, server.namespace, role, VERIFIED_LABEL, wanted)


def compare_serves(role: str, helper: Role | None, covered: bool, roles: Mapping[str, Role]) -> Iterator[Relabel]:
    """Yield the changes of the label that the Service <stack>-active-<role> follows."""
    for name, each in roles.items():
        wanted = not covered if name == role else each is helper
        may_remove = covered if name == role else roles[role].usable or helper is not None
        for server in each.servers:
            has = role in server.serves
            if has != wanted and not server.leaving and (wanted or may_remove):
                yield Relabel(server.name, server.uid, server.namespace, name, serves_label(role), wanted)


def is_closed(server: Server, state: RoleState) -> bool:
    """Tell whether the gateway is to leave a server alone, so that it asks the other model without a try here.

    One that is going or hangs would be sent requests to its end: a Service without a ready endpoint uses those that
    terminate. One that came with a rollout has not passed its canaries.
    """
    rollout = state.rollout
    if server.leaving or server.wedged or rollout is None:
        return server.leaving or server.wedged
    return rollout.step in (TRIAL if server.revision == rollout.revision else GOING)
