"""A server that takes more than planned, or runs out of memory, teaches the next plan; each event counts once."""

import pytest
from coderag_operator.observed.child import Child
from coderag_operator.observed.details import Nothing, Pod
from coderag_operator.observed.lessons import MOST_LESSONS, learn_memory, planned_buffers
from coderag_operator.observed.outlook import FITS, INFEASIBLE, Outlook
from coderag_operator.observed.serverlog import Buffers
from coderag_operator.observed.vram import Measured, Shortfall
from coderag_operator.vram.builds import rule_of
from coderag_operator.vram.planner import plan_memory
from coderag_operator.vram.wish import Wish
from tests.support.published_models import CHAT_3B, CODE_7B

OOM = "cudaMalloc failed: out of memory"
WISHES = {"chat": Wish(CHAT_3B, 4096, 2048, 2), "code": Wish(CODE_7B, 4096, 2048, 2)}
IDENTITIES = {"chat": "plan-of-chat", "code": "plan-of-code"}


def outlook(budget=12000, identities=IDENTITIES, part=None):
    plan = plan_memory(WISHES, budget, rule_of(None), per_server_mib=part)
    return Outlook(FITS if plan.fits else INFEASIBLE, "", plan, identities=identities)


def pod(*crashes: tuple[int, str], uid="one", role="code", details=None) -> Child:
    return Child("Pod", "team", uid, uid, "1", "demo", role, "", False, details or Pod(crashes=crashes))


def measured(factor: float, role="code") -> dict[str, Measured]:
    planned = planned_buffers(outlook().plan.models[role])
    return {role: Measured("one", Buffers(weights=planned * factor, offloaded=29, layers=29))}


def learn(*pods, before=None, sizes=None, seen=None):
    return learn_memory(before or {}, sizes or {}, seen or outlook(), pods)


def test_an_end_for_want_of_memory_leaves_room_free_once():
    learnt = learn(pod((0, OOM)))
    assert learnt["code"].mib >= 256
    assert (learnt["code"].attempts, learnt["code"].reason) == (1, "ran out of GPU memory")
    assert learn(pod((0, OOM)), before=learnt) == learnt


def test_every_further_end_leaves_more_free_up_to_a_bound():
    learnt, sizes = {}, []
    for restart in range(MOST_LESSONS + 2):
        learnt = learn(pod((restart, OOM)), before=learnt)
        sizes.append(learnt["code"].mib)
    assert sizes[:MOST_LESSONS] == sorted(set(sizes[:MOST_LESSONS]))
    assert len(set(sizes)) == MOST_LESSONS == learnt["code"].attempts


@pytest.mark.parametrize(("budget", "part"), [(12000, None), (24000, None), (16000, 8000)])
def test_a_server_that_ran_out_beside_free_memory_is_planned_smaller(budget, part):
    first = outlook(budget, part=part)
    learnt = learn(pod((0, OOM)), seen=first)["code"].mib
    again = outlook(budget - learnt, part=part and part - learnt)
    assert again.plan.total_mib < first.plan.total_mib
    assert again.plan.models["code"].estimate.total_mib >= first.plan.models["code"].estimate.total_mib / 2


def test_what_was_free_is_counted_once_when_both_servers_run_out():
    first = outlook(24000)
    learnt = learn(pod((0, OOM)), pod((0, OOM), role="chat", uid="two"), seen=first)
    again = outlook(24000 - sum(one.mib for one in learnt.values()))
    assert first.plan.total_mib * 0.8 < again.plan.total_mib < first.plan.total_mib


@pytest.mark.parametrize("details", [Pod(crashes=((0, "tensor not found"),)), Pod(), Nothing()])
def test_another_end_teaches_nothing(details):
    assert learn(pod(details=details)) == {}


def test_the_other_role_learns_nothing_from_it():
    assert set(learn(pod((0, OOM), role="chat"))) == {"chat"}


@pytest.mark.parametrize(("factor", "learns"), [(0.5, False), (1.0, False), (1.04, False), (1.06, True), (2.0, True)])
def test_only_what_is_more_than_a_twentieth_above_the_plan_counts(factor, learns):
    learnt = learn(sizes=measured(factor))
    assert bool(learnt) is learns
    if learns:
        planned = planned_buffers(outlook().plan.models["code"])
        assert learnt["code"].mib == pytest.approx(planned * (factor - 1), abs=1)
        assert learn(sizes=measured(factor), before=learnt) == learnt


def test_a_server_that_said_nothing_teaches_nothing():
    assert learn(sizes={"code": Measured("one", None)}) == {}


def test_what_was_learnt_of_another_plan_does_not_count():
    old = {"code": Shortfall("another plan", 900, MOST_LESSONS, "ran out of GPU memory", ("one/0",))}
    assert learn(pod((0, OOM)), before=old)["code"].attempts == 1
    assert learn(before=old) == old


@pytest.mark.parametrize("seen", [outlook(1000), Outlook("HeaderPending", "")])
def test_without_a_plan_nothing_is_learnt(seen):
    assert learn(pod((0, OOM)), seen=seen) == {}
