"""Which pods carry which serves-* label: what the Services <stack>-active-<role> select. Add before remove.

Two servers with a role's label do no harm, none would: so a label goes only where another usable pod has it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from coderag_operator.failover.servers import Role, Server
from coderag_operator.observed.roles import OWN, RoleState


@dataclass(frozen=True, slots=True)
class Relabel:
    """One label to put on a pod or take away from it."""

    pod: str
    uid: str
    namespace: str
    role: str
    wanted: bool


def plan_labels(states: Mapping[str, RoleState], roles: Mapping[str, Role]) -> tuple[Relabel, ...]:
    """Return the changes of labels, additions first."""
    changes = [change for name, state in states.items() for change in compare(name, state, roles)]
    return tuple(sorted(changes, key=lambda change: not change.wanted))


def compare(role: str, state: RoleState, roles: Mapping[str, Role]) -> Iterator[Relabel]:
    """Yield what differs from the labels that a role's state asks for."""
    helper = roles.get(state.active) if state.active != OWN else None
    covered = helper is not None and helper.usable
    for name, each in roles.items():
        wanted = not covered if name == role else each is helper
        may_remove = covered if name == role else roles[role].usable or helper is not None
        for server in each.servers:
            has = role in server.serves
            if has != wanted and not server.leaving and (wanted or may_remove):
                yield relabel(server, role, wanted)


def relabel(server: Server, role: str, wanted: bool) -> Relabel:
    """Return the change of a label on a server's pod."""
    return Relabel(server.name, server.uid, server.namespace, role, wanted)
