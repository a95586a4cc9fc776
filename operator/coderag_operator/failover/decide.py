"""Both roles together: one look at the pods, the facts and the spec, and everything that follows from it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from coderag_operator.api import Stack, seconds
from coderag_operator.desired import ModelFact
from coderag_operator.desired.references import downloads, local_servers
from coderag_operator.failover.labels import Relabel, plan_labels
from coderag_operator.failover.memory import reckon
from coderag_operator.failover.progress import Pulse
from coderag_operator.failover.rollout import WAITING, Order, Surroundings, advance, is_settled
from coderag_operator.failover.servers import STAND_IN, Role, Server, read_role
from coderag_operator.failover.switch import Limits, choose
from coderag_operator.observed.child import Child
from coderag_operator.observed.roles import RoleState

STALL_ON_GPU, STALL_ON_CPU = 6, 60
HANGS_BELIEVED, MOST_DOUBLINGS = 2, 4


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that a decision is made from. `revisions`: the wanted template by role, empty where it is unknown."""

    stack: Stack
    children: tuple[Child, ...]
    states: Mapping[str, RoleState]
    revisions: Mapping[str, str]
    models: Mapping[str, ModelFact]
    pulses: Mapping[str, Pulse]
    stopped: frozenset[str]
    now: float
    planned: Mapping[str, int] = field(default_factory=dict)  # MiB of the GPU that each role's server is planned with


Orders = Mapping[str, Order]


@dataclass(frozen=True)
class Decision:
    """What to remember, what to do with Deployments, labels and pods, and the seconds until the next look."""

    states: Mapping[str, RoleState] = field(default_factory=dict)
    orders: Orders = field(default_factory=dict)
    labels: tuple[Relabel, ...] = ()
    wedged: tuple[Server, ...] = ()
    wait: float | None = None


def decide(scene: Scene) -> Decision:
    """Return what follows from the pods, the facts and the spec for the two roles."""
    local = local_servers(scene.stack)
    roles = {name: look(scene, name) for name in local}
    states = {name: adopt(scene.states.get(name, RoleState()), roles[name], roles) for name in local}
    waits: list[float | None] = [*wait_for_wedged(roles.values(), scene.now)]
    for name in local:
        own, other = roles[name], roles.get(STAND_IN[name], Role(STAND_IN[name], wanted=False))
        limits = read_limits(scene.stack, name)
        choice = choose(states[name], own, other, limits, is_lent(name, states), scene.now)
        states[name] = choice.state
        waits += [choice.wait, wait_to_forget(choice.state, limits.flap_window, scene.now)]
    orders: dict[str, Order] = {}
    for name in order_by_growth(scene, states):
        step = advance(
            states[name], roles[name], scene.revisions.get(name, ""), surround(scene, name, roles, states), scene.now
        )
        states[name], orders[name] = note_memory(scene, name, step.state, roles), step.order
        waits.append(step.wait)
    return Decision(
        states, orders, plan_labels(states, roles), tuple(find_wedged(roles.values())),
        earliest(*waits),
    )  # fmt: skip


def look(scene: Scene, name: str) -> Role:
    """Return a role as it is; one that keeps failing over must be stuck for longer to be called wedged.

    Two servers in a row may hang; a third that looks like it is slow and would be killed for ever.
    """
    flaps = len(scene.states.get(name, RoleState()).failovers)
    patience = stall_seconds(scene.stack) * 2 ** min(max(0, flaps - HANGS_BELIEVED), MOST_DOUBLINGS)
    return read_role(name, scene.children, scene.pulses, patience, scene.now, name not in scene.stopped)


def stall_seconds(stack: Stack) -> int:
    """Return how long a server may hold requests without a step of work."""
    given = stack.spec.failover.stall_after
    return seconds(given) if given else STALL_ON_CPU if stack.spec.gpu.sharing == "None" else STALL_ON_GPU


def adopt(state: RoleState, own: Role, roles: Mapping[str, Role]) -> RoleState:
    """Return the state that live labels tell, where the facts know of none: somebody may have deleted them."""
    if state != RoleState():
        return state
    helper = next((name for name, role in roles.items() if name != own.name and lends(role, own.name)), "")
    return replace(state, active=helper, served=True, reason="NotReady") if helper else state


def lends(role: Role, name: str) -> bool:
    """Tell whether a pod of this role carries the label of another one."""
    return any(name in server.serves and not server.leaving for server in role.servers)


def is_lent(name: str, states: Mapping[str, RoleState]) -> bool:
    """Tell whether the other role is served by this one's server, which leaves nobody to stand in for it."""
    return any(state.active == name for role, state in states.items() if role != name)


def read_limits(stack: Stack, name: str) -> Limits:
    """Return the settings of a role's failover."""
    failover = stack.spec.failover
    allowed = failover.chat_to_code if name == "chat" else failover.code_to_chat
    times = (failover.failover_after, failover.failback_after, failover.dwell, failover.flap_window)
    return Limits(allowed and len(local_servers(stack)) == len(STAND_IN), *map(seconds, times))


def order_by_growth(scene: Scene, states: Mapping[str, RoleState]) -> list[str]:
    """Return the roles, the one first whose change frees memory: old and new together must fit at every moment."""
    return sorted(states, key=lambda name: (growth(scene, name, states[name]), name))


def growth(scene: Scene, name: str, state: RoleState) -> int:
    """Return by how many MiB a role's server is about to grow."""
    return reckon_role(scene, name) - (state.memory or reckon_role(scene, name))


def reckon_role(scene: Scene, name: str) -> int:
    """Return the memory that a role's server of the spec takes, in MiB: as planned, else as its file suggests."""
    if name in scene.planned:
        return scene.planned[name]
    source = downloads(scene.stack).get(name)
    return reckon(local_servers(scene.stack)[name], scene.models.get(source.sha256) if source else None)


def surround(scene: Scene, name: str, roles: Mapping[str, Role], states: Mapping[str, RoleState]) -> Surroundings:
    """Return what a role's rollout depends on besides itself."""
    other = STAND_IN[name]
    deadline = seconds(scene.stack.spec.rollout.progress_deadline)
    return Surroundings(
        other=roles.get(other, Role(other, wanted=False)),
        limits=read_limits(scene.stack, name),
        deadline=deadline,
        turn=other not in states or has_turn(scene, name, other, roles, states),
        lent=is_lent(name, states),
    )


def has_turn(scene: Scene, name: str, other: str, roles: Mapping[str, Role], states: Mapping[str, RoleState]) -> bool:
    """Tell whether a role's rollout may go ahead of, or after, the other's."""
    rollout = states[other].under_way
    if rollout and rollout.step != WAITING:
        return False
    wanted = scene.revisions.get(other, "")
    held = states[other].rejected or (not wanted and is_to_shrink(scene, roles[other], states[other]))
    if held and growth(scene, name, states[name]) > 0:
        return False  # the memory that the other one was to free is still taken
    pending = bool(wanted) and not states[other].rejected and not is_settled(roles[other], wanted)
    return not pending or order_by_growth(scene, states).index(name) == 0


def is_to_shrink(scene: Scene, role: Role, state: RoleState) -> bool:
    """Tell whether a server runs that is planned smaller: one whose new model is on its way frees nothing yet."""
    return bool(role.servers) and role.name in scene.planned and growth(scene, role.name, state) < 0


def note_memory(scene: Scene, name: str, state: RoleState, roles: Mapping[str, Role]) -> RoleState:
    """Return the state with the memory of the server that runs, once it is the one of the spec."""
    wanted = scene.revisions.get(name, "")
    if not wanted or state.rollout or not is_settled(roles[name], wanted):
        return state
    return replace(state, memory=reckon_role(scene, name))


def earliest(*waits: float | None) -> float | None:
    """Return the smallest of several delays, None when there is none."""
    return min((wait for wait in waits if wait is not None), default=None)


def wait_to_forget(state: RoleState, window: int, now: float) -> float | None:
    """Return the seconds until the oldest failover of a role counts no more, so that status does not keep it."""
    return max(1.0, state.failovers[0] + window - now) if state.failovers else None


def wait_for_wedged(roles: Iterable[Role], now: float) -> Iterable[float]:
    """Yield the seconds until servers that are stuck count as wedged: the prober reports each only once."""
    times = (server.wedged_at for role in roles for server in role.servers if not server.leaving)
    return (time - now for time in times if time is not None and time > now)


def find_wedged(roles: Iterable[Role]) -> Iterable[Server]:
    """Yield the servers that have to be replaced: nothing else ends what they hold."""
    return (server for role in roles for server in role.servers if server.wedged and not server.leaving)
