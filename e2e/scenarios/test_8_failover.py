"""A kill, a hang, a model change and a drain, with load running: what callers see, and that all is as before after it.

The whole table of faults is in full_8_failover.py; `make test-failover` runs it.
"""

import time
from pathlib import Path

import pytest

from e2e import install
from e2e.cluster.waiting import wait_until
from e2e.failover import faults, models
from e2e.failover.catalog import replaced
from e2e.failover.endpoints import count_switches
from e2e.failover.flapping import flap
from e2e.failover.place import tell
from e2e.failover.run import FRESH, GATEWAY, Fault, Pace, run
from e2e.failover.site import Site, is_settled

# The window is short, so that each fault here is judged as if it were the first in a long time.
QUICK = {"failoverAfter": "2s", "failbackAfter": "3s", "dwell": "3s", "stallAfter": "5s", "flapWindow": "5s"}
PACE = Pace(requests=60, rate=3, active_rate=3, healthy=6, patience=150, calm=8)


@pytest.fixture(scope="module")
def site(stack):
    """The stack with failover in seconds instead of minutes."""
    found = Site(stack.cluster, stack.namespace, stack.name)
    before = stack.get("crs", stack.name)["spec"]["failover"]
    models.patch(found, {"failover": QUICK})
    assert wait_until(lambda: is_settled(found), 120, 1), tell(found)
    yield found
    models.patch(found, {"failover": before})


def under_load(site, fault, pace=PACE):
    """Run one fault; the cluster's side of the story comes with a failure."""
    assert wait_until(lambda: is_settled(site), 120, 1), tell(site)
    result = run(site, fault, pace, lambda: is_settled(site))
    print(result.summaries[GATEWAY], result.summaries[FRESH], result.served, result.labels, sep="\n")
    return result


def assert_unnoticed(site, result):
    """No request to the gateway failed, each one is accounted for, and the stack is as it was."""
    gateway = result.summaries[GATEWAY]
    assert gateway.sent == sum(gateway.outcomes.values()) >= PACE.requests
    bad = [record for record in result.records if record.target == GATEWAY and not record.is_ok]
    assert gateway.failed == 0, f"{bad[:5]}\n{tell(site)}"
    assert result.recovered is not None, tell(site)


def test_a_killed_chat_server_costs_no_request(site):
    result = under_load(site, Fault("killed", faults.killed))
    assert_unnoticed(site, result)
    assert (result.summaries[GATEWAY].first_affected or 0) <= 5
    assert result.summaries[FRESH].outage <= 15


@pytest.fixture(scope="module")
def hang(site):
    """The chat server's processes stopped under load: its port still takes connections."""
    return under_load(site, Fault("stopped", faults.stopped, hold=60, until=replaced))


def test_a_chat_server_that_hangs_is_replaced_and_costs_no_request(site, hang):
    assert_unnoticed(site, hang)
    assert len({pod for _, pod, has in hang.labels if has and "-chat-" in pod}) == 2, tell(site)
    assert (hang.summaries[GATEWAY].first_affected or 0) <= 15
    assert hang.summaries[FRESH].outage <= 25


def test_the_stand_in_gains_the_label_before_the_wedged_server_loses_it(site, hang):
    gained, lost = hang.label_turn("code", gained=True), hang.label_turn("chat", gained=False)
    assert gained is not None, tell(site)
    assert lost is not None, tell(site)
    assert gained < lost
    assert hang.absence <= 1
    assert hang.switches <= 2


def test_a_changed_model_costs_no_request_in_either_direction(site):
    before = models.read_source(site)
    for file in (models.NEXT, "chat.gguf"):
        result = under_load(site, Fault(f"model changed to {file}", models.changed(file, keep=True)))
        assert_unnoticed(site, result)
        assert result.absence <= 1
    assert models.read_source(site) == before


def test_a_server_that_comes_and_goes_is_not_followed_each_time(site):
    models.patch(site, {"failover": {"failbackAfter": "10s", "dwell": "10s", "stallAfter": "2s", "flapWindow": "15m"}})
    served = flap(site, every=6, times=4)
    models.patch(site, {"failover": QUICK})
    assert count_switches(served) <= 3, served
    assert wait_until(lambda: is_settled(site), 180, 1), tell(site)


def test_a_drain_ends_in_time_and_uncordon_brings_everything_back(site, stack):
    begin = time.monotonic()
    with faults.drained(site, seconds=120):
        assert time.monotonic() - begin <= 120
    # The stand-in for a Git server lost its folder with its pod; a real one would not.
    rollout = ("rollout", "status", "deployment/standins-git", "--timeout=120s")
    stack.kubectl(*rollout)
    install.push_repository(stack.cluster, stack.namespace, stack.token, "coderag", Path())
    assert wait_until(lambda: is_settled(site), 240, 1), tell(site)
