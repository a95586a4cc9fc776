"""Single steps of a rollout that whole courses (test_failover.py) seldom take."""

from dataclasses import replace

from coderag_operator.failover.rollout import (
    RETURNING,
    SHIFTING,
    STARTING,
    VERIFYING,
    Surroundings,
    advance,
)
from coderag_operator.failover.servers import Role, Server
from coderag_operator.failover.switch import Limits, choose
from coderag_operator.observed.roles import RoleState, Rollout

LIMITS = Limits(allowed=True, failover_after=10, failback_after=60, dwell=120, flap_window=900)


def server(role: str, revision: str = "old", **changes: object) -> Server:
    made = Server(f"{role}-1", f"{role}-uid", "team", role, True, False, 0, frozenset({role}), revision, f"{role}-rs")
    return replace(made, **changes)


def role(name: str, *servers: Server, revision: str = "old", paused: bool = False) -> Role:
    return Role(name, servers, True, True, paused, revision)


def around(other: Role, **changes: object) -> Surroundings:
    return replace(Surroundings(other, LIMITS, 600, True, False), **changes)


CODE = role("code", server("code"))


def rolling(step: str, **changes: object) -> RoleState:
    return RoleState(
        active="code", since=5, reason="Rollout", served=True, rollout=Rollout("new", step, 10, "chat-rs"), **changes
    )


def test_a_new_server_that_falls_over_while_it_is_verified_is_waited_for_again():
    own = role("chat", server("chat", "new", ready=False), revision="new")
    step = advance(rolling(VERIFYING), own, "new", around(CODE), 50)
    assert step.state.rollout is not None
    assert (step.state.rollout.step, step.state.rollout.since, step.wait) == (STARTING, 10, 560)


def test_a_role_that_fails_on_its_way_home_is_a_failover_like_any_other():
    own = role("chat", server("chat", "new", ready=False), revision="new")
    state = replace(rolling(RETURNING), reason="NotReady")
    assert advance(state, own, "new", around(CODE), 50).state.rollout is None


def test_without_a_server_to_go_back_to_the_new_one_is_waited_for_without_end():
    own = role("chat", server("chat", "new", ready=False), revision="new")
    state = replace(rolling(STARTING), rollout=Rollout("new", STARTING, 10))
    step = advance(state, own, "new", around(CODE), 5000)
    assert (step.state.rejected, step.wait, step.order.frozen) == ("", None, False)


def test_a_role_whose_template_cannot_be_told_stays_as_it_is():
    assert advance(rolling(SHIFTING), role("chat", server("chat")), "", around(CODE), 50).state == rolling(SHIFTING)


def test_a_deployment_that_is_gone_comes_back_with_the_template_of_the_spec():
    state = RoleState(rejected="new", rollout=Rollout("new", "RolledBack", 10, "chat-rs"))
    assert advance(state, Role("chat"), "new", around(CODE), 50).state == RoleState()


def test_a_server_whose_stand_in_is_lent_out_waits():
    own = role("chat", server("chat"), revision="new", paused=True)
    state = RoleState(served=True, rollout=Rollout("new", SHIFTING, 10, "chat-rs"))
    step = advance(state, own, "new", around(CODE, lent=True), 50)
    assert (step.state.active, step.order.paused) == ("", True)


def test_during_a_rollout_hysteresis_does_not_bring_a_role_home():
    own = role("chat", server("chat", "new", turned=0, canaries=3), revision="new")
    assert choose(rolling(VERIFYING), own, CODE, LIMITS, False, 5000).state.active == "code"
    alone = replace(CODE, servers=())
    assert choose(rolling(VERIFYING), own, alone, LIMITS, False, 5000).state.active == ""
