"""The whole table of faults, each under at least 500 requests: `make test-failover`, about an hour and a half.

The name keeps it out of what pytest collects by itself.
"""

import json
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from e2e import install
from e2e.cluster.waiting import wait_until
from e2e.failover import faults, models
from e2e.failover.catalog import MANAGED, REAL, SWITCHED
from e2e.failover.endpoints import count_switches
from e2e.failover.flapping import flap
from e2e.failover.moments import FAILOVER, STEPS, operator_killed_at, read_role
from e2e.failover.place import STANDIN_LLAMA, tell
from e2e.failover.run import FRESH, GATEWAY, Fault, Pace, run
from e2e.failover.site import ROLES, Site, is_settled
from e2e.failover.table import HEAD, cells, line
from e2e.progress import read_conditions

pytestmark = pytest.mark.timeout(1500)
PACE = Pace()
# The window is short, so that each fault is judged as if it were the first in a long time; flapping has its own test.
SETTINGS = {"stallAfter": "6s", "flapWindow": "1m"}  # 6 s is the default on a GPU
ROLLOUT = {"progressDeadline": "1m"}
SHORT = {"failoverAfter": "2s", "failbackAfter": "3s", "dwell": "3s", "stallAfter": "5s", "flapWindow": "10s"}
HANGS = {"stopped", "hangs while healthy", "hangs, metrics too"}
# Two faults at once: what only the operator finds is bounded by the gateway's own timeouts while there is no operator.
# One that is killed every 20 s may be killed between the label and the deletion, and then it takes another one.
UNBOUNDED = {"stopped, operator down", "stopped, operator killed every 20 s"}
# The server is ready and moves: only the gateway, which reads answers, can tell that they are errors.
ERRORS = {"500", "429"}


@pytest.fixture(scope="module")
def site(stack):
    found = Site(stack.cluster, stack.namespace, stack.name)
    models.patch(found, {"failover": SETTINGS, "rollout": ROLLOUT})
    settle(found)
    print("\n" + line(HEAD))
    return found


@pytest.fixture(scope="module")
def standins(site):
    """The stack with servers that have switches; both change, one after the other."""
    models.patch(site, {"images": {"llama": STANDIN_LLAMA}})
    settle(site, 600)
    yield site
    models.patch(site, {"images": {"llama": None}})
    settle(site, 600)


@pytest.fixture
def quick(site):
    """Failover in seconds instead of minutes."""
    models.patch(site, {"failover": SHORT})
    settle(site)
    yield site
    models.patch(site, {"failover": dict.fromkeys(SHORT) | SETTINGS})


def settle(site, seconds=300):
    assert wait_until(lambda: is_settled(site), seconds, 1), tell(site)


def under_load(site, fault):
    settle(site)
    result = run(site, fault, PACE, lambda: is_settled(site))
    print(line(cells("this", result)), flush=True)
    return result


def assert_bounds(site, result):
    gateway, fresh = result.summaries[GATEWAY], result.summaries[FRESH]
    bad = [record for record in result.records if record.target == GATEWAY and not record.is_ok]
    assert gateway.sent == sum(gateway.outcomes.values()) >= PACE.requests
    assert gateway.failed == 0, f"{bad[:5]}\n{tell(site)}"
    assert result.recovered is not None, tell(site)
    if result.fault in UNBOUNDED:
        return
    hangs = result.fault in HANGS
    assert (gateway.first_affected or 0) <= (15 if hangs else 5)
    assert (gateway.later_excess or 0) <= 1.5
    assert result.fault in ERRORS or fresh.outage <= (25 if hangs else 15)


@pytest.mark.parametrize("fault", [*REAL, *MANAGED], ids=lambda fault: fault.name)
def test_a_fault_of_a_real_server_costs_no_request(site, fault):
    assert_bounds(site, under_load(site, fault))


@pytest.mark.parametrize("fault", [*SWITCHED[:-2], SWITCHED[-1]], ids=lambda fault: fault.name)
def test_a_fault_of_a_server_with_switches_costs_no_request(standins, fault):
    assert_bounds(standins, under_load(standins, fault))


def test_one_error_of_the_stand_in_fails_at_most_that_request(standins):
    result = under_load(standins, SWITCHED[-2])
    assert result.summaries[GATEWAY].failed <= 1


def test_a_slow_server_is_left_alone(standins):
    uid = standins.pod("chat")["metadata"]["uid"]
    slow = Fault("slow, one token a second", faults.switched(token_seconds=1.0), hold=60)
    run(standins, slow, Pace(requests=40, rate=0.4, active_rate=0.1), lambda: is_settled(standins))
    assert standins.pod("chat")["metadata"]["uid"] == uid, tell(standins)


def test_both_down_is_said_at_once_with_a_time_to_come_back(standins):
    with faults.switched("chat", health=503)(standins), faults.switched("code", health=503)(standins):
        for _ in range(5):
            begin = time.monotonic()
            status, headers = ask(standins)
            assert time.monotonic() - begin <= 2
            assert status == 503
            assert int(headers["Retry-After"]) > 0


def ask(site):
    """Send one completion to the gateway; return status and headers, whatever they are."""
    body = {"model": "chat", "max_tokens": 4, "messages": [{"role": "user", "content": "Say hello"}]}
    headers = {"Authorization": f"Bearer {site.key()}", "Content-Type": "application/json"}
    with site.cluster.forward(site.namespace, f"service/{site.name}-gateway", 8000) as url:
        request = urllib.request.Request(f"{url}/v1/chat/completions", json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.headers
        except urllib.error.HTTPError as error:
            return error.code, error.headers


@pytest.mark.parametrize("file", [models.WRONG, models.SHORT, models.CRASH, models.MUTE])
def test_a_bad_model_is_said_to_be_one_while_the_old_one_serves(quick, file):
    with models.changed(file)(quick):
        assert wait_until(lambda: is_refused(quick, file), 300, 1), tell(quick)
        assert ask(quick)[0] == 200
    settle(quick)


REFUSED = {models.WRONG: "ChecksumMismatch", models.SHORT: "Truncated"}


def is_refused(site, file):
    """Tell whether the status says that the model is bad: never fetched, or rolled back."""
    conditions = read_conditions(site.get("crs", site.name))
    if file in REFUSED:
        return conditions["ModelsFetched"].get("reason") == REFUSED[file]
    step = (read_role(site).get("rollout") or {}).get("step")
    return step == "RolledBack" and conditions["Ready"].get("reason") == "RolledBack"


@pytest.mark.parametrize("moment", FAILOVER)
def test_the_operator_killed_in_a_failover_ends_in_the_right_state(quick, moment):
    with faults.stopped(quick):
        assert wait_until(lambda: read_role(quick).get("active") == "code" or moment == "as it begins", 60, 0.2)
        assert wait_until(lambda: FAILOVER[moment](quick), 240, 0.2), f"never came to: {moment}\n{tell(quick)}"
        faults.kill_operator(quick)
    settle(quick)
    assert_only_own_labels(quick)


@pytest.mark.parametrize("step", STEPS)
def test_the_operator_killed_in_a_rollout_ends_in_the_right_state(quick, step):
    assert_a_change_survives_kills(quick, step)


def test_the_operator_killed_at_every_step_of_one_rollout_ends_in_the_right_state(quick):
    assert_a_change_survives_kills(quick, *STEPS)


def assert_a_change_survives_kills(site, *steps):
    """Change both models, so that one role waits for the other, and kill the operator at these steps of either."""
    with operator_killed_at(site, *steps) as killed, models.all_changed(site, models.NEXT):
        settle(site, 600)
        assert len(killed) == len(steps), f"not every step was seen: {steps}"
        assert_only_own_labels(site)
        wanted = models.source(site, models.NEXT)["sha256"]
        assert all(wanted in json.dumps(site.pod(role)["spec"]) for role in ROLES)
    settle(site, 600)


def assert_only_own_labels(site):
    """Each server has the label of its own role and no other."""
    for role, other in (("chat", "code"), ("code", "chat")):
        labels = site.pod(role)["metadata"]["labels"]
        assert labels.get(f"coderag.dev/serves-{role}") == "true", tell(site)
        assert f"coderag.dev/serves-{other}" not in labels, tell(site)


@pytest.mark.parametrize("act", [faults.stopped, faults.switched(health=503)], ids=["stopped", "503"])
def test_five_minutes_of_coming_and_going_are_three_switches_at_most(standins, act):
    models.patch(standins, {"failover": {"flapWindow": "15m"}})
    served = flap(standins, every=20, times=8, act=act)
    assert count_switches(served) <= 3, served
    settle(standins, 900)
    models.patch(standins, {"failover": SETTINGS})


def test_qdrant_comes_back_without_a_restart_of_rag(site, stack):
    pod = site.pod("rag")["metadata"]["name"]
    restarts = read_restarts(site, pod)
    with faults.operator_down(site), faults.scaled_away(site, f"statefulset/{site.name}-qdrant"):
        assert wait_until(lambda: search(stack) == 503, 60, 0.5)
    site.wait_ready("qdrant")
    begin = time.monotonic()
    assert wait_until(lambda: search(stack) == 200, 60, 0.2)
    assert time.monotonic() - begin <= 15
    assert read_restarts(site, pod) == restarts
    settle(site)


def read_restarts(site, pod):
    return sum(one["restartCount"] for one in site.get("pod", pod)["status"]["containerStatuses"])


def search(stack):
    """Return the status of a search."""
    with stack.cluster.forward(stack.namespace, f"service/{stack.name}-rag", 8002) as url:
        request = urllib.request.Request(f"{url}/v1/search", b'{"query": "queue"}', {
            "Authorization": f"Bearer {stack.key()}", "Content-Type": "application/json"})  # fmt: skip
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code


def test_a_drain_ends_in_time_and_uncordon_brings_everything_back(site, stack):
    begin = time.monotonic()
    with faults.drained(site, seconds=120):
        assert time.monotonic() - begin <= 120
    stack.kubectl("rollout", "status", "deployment/standins-git", "--timeout=120s")
    install.push_repository(stack.cluster, stack.namespace, stack.token, "coderag", Path())
    settle(site)


def test_maintenance_says_when_the_node_is_free(site):
    models.patch(site, {"maintenance": True})
    assert wait_until(lambda: not site.pods("chat") and not site.pods("code"), 180, 1), tell(site)
    models.patch(site, {"maintenance": False})
    settle(site)
