"""What is printed is what was measured, and the plain stack is one that a careful cluster admits."""

from collections import Counter

from e2e.failover.accounting import Summary, Window
from e2e.failover.catalog import MANAGED, PLAIN, REAL, SWITCHED
from e2e.failover.endpoints import Served
from e2e.failover.overhead import Overhead, render_overhead
from e2e.failover.plain import LLAMA, configuration, manifests
from e2e.failover.record import Outcome
from e2e.failover.run import FRESH, GATEWAY, KEPT, Result, wait_for, wait_for_calm
from e2e.failover.table import HEAD, render


def summary(sent=10, failed=1, cut=2):
    outcomes = Counter({Outcome.OK: sent - failed - cut, Outcome.FAILED: failed, Outcome.CUT: cut})
    return Summary(sent, outcomes, 0.1, 0.2, 0.4, None, 3.0, None, 4, 0.25, 5.55, None)


def result():
    served = [Served(0.0, frozenset({"chat"})), Served(12.0, frozenset()), Served(13.5, frozenset({"code"}))]
    labels = [(9.0, "demo-code-1", True), (12.5, "demo-code-1", True), (13.0, "demo-chat-1", False)]
    return Result("killed", Window(10, 30), {name: summary() for name in (GATEWAY, FRESH, KEPT)}, served, labels, None)


def test_a_row_has_a_cell_for_each_head():
    head, rule, row = render([("this", result())]).splitlines()
    assert head.count("|") == rule.count("|") == row.count("|") == len(HEAD) + 1
    assert "| killed | this | 10 | 1 | 2 | 200 / 400 / – | 3.0 | 4 | 0.2 | – | 5.5 (1 of 10 failed) |" in row


def test_switches_gaps_and_labels_are_read_from_what_was_seen():
    found = result()
    assert (found.switches, found.absence) == (1, 1.5)
    assert (found.label_turn("code", gained=True), found.label_turn("chat", gained=False)) == (0, 1)
    assert found.label_turn("chat", gained=True) is None


def test_the_overhead_is_the_difference_at_each_share():
    text = render_overhead(Overhead([1.0, 1.0, 1.0], [1.05, 1.05, 1.1], 0))
    assert "| p50 | 1000 | 1050 | 50 | 5.0 |" in text
    assert "| p95 | 1000 | 1100 | 100 | 10.0 |" in text
    assert "0 failed" in text


def test_calm_is_a_time_without_interruption():
    answers = iter([True, False, *[True] * 50])
    assert wait_for_calm(lambda: next(answers), 9e9, calm=0.6) is not None
    assert wait_for_calm(lambda: False, 0, calm=1) is None
    assert wait_for(lambda: True, 9e9)
    assert not wait_for(lambda: False, 0)


def test_every_fault_has_a_name_of_its_own():
    names = [fault.name for fault in (*REAL, *MANAGED, *SWITCHED)]
    assert len(set(names)) == len(names)
    assert {fault.name for fault in PLAIN} <= set(names)


def test_the_plain_stack_is_what_one_would_write_by_hand():
    found = manifests(LLAMA, fallbacks=False)
    assert sorted(one["kind"] for one in found) == ["ConfigMap", *["Deployment"] * 3, *["Service"] * 3]
    for pod in (one["spec"]["template"]["spec"] for one in found if one["kind"] == "Deployment"):
        assert pod["securityContext"]["runAsNonRoot"]
        assert all(not c["securityContext"]["allowPrivilegeEscalation"] for c in pod["containers"])
    assert "router_settings" not in configuration(fallbacks=False)
    assert configuration(fallbacks=True)["router_settings"]["fallbacks"] == [{"chat": ["code"]}, {"code": ["chat"]}]
