"""Which steps of a rollout a stack is in."""

from e2e.failover.moments import steps_of


def test_the_steps_of_both_roles_count():
    roles = [{"role": "chat", "rollout": {"step": "Shifting"}}, {"role": "code", "rollout": {"step": "Waiting"}}]
    assert steps_of({"status": {"roles": roles}}) == {"Shifting", "Waiting"}


def test_a_role_that_is_not_rolled_out_is_in_no_step():
    assert steps_of({"status": {"roles": [{"role": "chat"}, {"role": "code", "rollout": None}]}}) == set()
    assert steps_of({}) == set()
