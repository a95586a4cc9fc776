"""Fetch Jobs teach which models are there; failures are counted once, and tried again later and later."""

import json
from dataclasses import replace
from typing import Any

import pytest
from coderag_operator.observed.child import Child
from coderag_operator.observed.details import Details, Job, Nothing, Pod
from coderag_operator.observed.facts import Facts, Failed, Fetched
from coderag_operator.observed.fetches import backoff, learn
from coderag_operator.observed.vram import Reading
from tests.support.published_models import CHAT_3B

SHA = "a" * 64


def child(kind: str, details: Details, uid: str = "job1", owner: str = "") -> Child:
    return Child(kind, "team", f"demo-{uid}", uid, "1", "demo", "models", owner, False, details)


def job(uid: str = "job1", **state: bool) -> Child:
    return child("Job", Job(SHA, **state), uid)


def pod(said: Any, of: str = "job1") -> Child:
    text = said if isinstance(said, str) else json.dumps(said)
    return child("Pod", Pod(endings=(text,)), f"pod-of-{of}", of)


def test_a_fetched_model_is_a_fact_of_its_claim() -> None:
    said = {"ok": True, "file": "a.gguf", "sizeBytes": 5, "header": {"layers": 2}}
    lesson = learn(Facts(), [job(complete=True)], [pod(said)], "claim", 0)
    assert lesson.facts.models == {SHA: Fetched("claim", 5, {"layers": 2})}
    assert (lesson.expired, lesson.wait) == ((), None)


def test_a_success_outweighs_the_failed_pods_before_it() -> None:
    pods = [
        pod({"ok": False, "reason": "Unreachable", "transient": True}),
        pod({"ok": True, "file": "a.gguf", "header": "?"}),
        pod({"ok": False}),
    ]
    assert learn(Facts(), [job(complete=True)], pods, "claim", 0).facts.models == {SHA: Fetched("claim")}


def test_the_header_is_known_before_the_file_is_there() -> None:
    said = {"ok": True, "sizeBytes": 5, "header": {}, "geometry": CHAT_3B.to_json()}
    lesson = learn(Facts(), [job(active=True)], [pod(said)], "claim", 0)
    assert lesson.facts.geometries == {SHA: Reading(CHAT_3B)}
    assert lesson.facts.models == {}


def test_a_model_that_cannot_be_planned_says_why() -> None:
    said = {"ok": True, "file": "a.gguf", "header": {}, "geometryProblem": "a mixture of experts"}
    lesson = learn(Facts(), [job(complete=True)], [pod(said)], "claim", 0)
    assert lesson.facts.geometries == {SHA: Reading(None, "a mixture of experts")}


def test_a_site_that_gives_no_parts_of_a_file_says_nothing_about_the_model() -> None:
    said = {"ok": True, "geometryProblem": "the site sends no ranges"}
    assert learn(Facts(), [job(active=True)], [pod(said)], "claim", 0).facts.geometries == {}


def test_a_file_on_a_claim_of_the_user_belongs_to_no_cache_and_outlives_a_new_one() -> None:
    looked = child("Job", Job("pvc-1", complete=True), "job1")
    lesson = learn(Facts(), [looked], [pod({"ok": True, "file": "/models/a.gguf"})], "claim", 0)
    assert lesson.facts.models == {"pvc-1": Fetched("")}
    assert learn(lesson.facts, [], [], "another claim", 0).facts.models == {"pvc-1": Fetched("")}


def test_a_fact_outlives_the_job_and_its_pod() -> None:
    facts = Facts({SHA: Fetched("claim")}, {SHA: Failed(1, "x", "", False, "old", 0)})
    lesson = learn(facts, [job(complete=True)], [], "claim", 0)
    assert lesson.facts == Facts({SHA: Fetched("claim")}, {})


def test_a_new_claim_has_no_models() -> None:
    facts = Facts({SHA: Fetched("old")})
    assert learn(facts, [], [], "new", 0).facts.models == {}
    assert learn(facts, [], [], "", 0).facts.models == facts.models


def test_a_transient_failure_is_tried_again_after_a_while() -> None:
    said = {"ok": False, "reason": "Unreachable", "message": "no route", "transient": True}
    first = learn(Facts(), [job(failed=True)], [pod(said)], "claim", 100)
    assert first.facts.fetches == {SHA: Failed(1, "Unreachable", "no route", False, "job1", 100)}
    assert (first.expired, first.wait) == ((), 10)
    later = learn(first.facts, [job(failed=True)], [pod(said)], "claim", 110)
    assert later.facts == first.facts
    assert later.expired == (job(failed=True),)
    second = learn(later.facts, [job("job2", failed=True)], [pod(said, "job2")], "claim", 120)
    assert second.facts.fetches[SHA].attempts == 2
    assert second.wait == 20


def test_a_final_failure_is_not_tried_again() -> None:
    said = {"ok": False, "reason": "ChecksumMismatch", "message": "other bytes", "transient": False}
    lesson = learn(Facts(), [job(failed=True)], [pod(said)], "claim", 0)
    assert lesson.facts.fetches[SHA].final
    assert (lesson.expired, lesson.wait) == ((), None)


@pytest.mark.parametrize("said", ["", "no json", "[]"])
def test_an_end_without_a_result_is_tried_again(said: str) -> None:
    lesson = learn(Facts(), [job(complete=True)], [pod(said)], "claim", 0)
    assert lesson.facts.fetches[SHA].reason == "Interrupted"
    assert lesson.wait == 10


def test_what_is_no_fetch_job_teaches_nothing() -> None:
    others = [child("Job", Job()), replace(job(failed=True), deleting=True), child("Job", Nothing())]
    assert learn(Facts(), [*others, job(active=True)], [child("Pod", Nothing())], "claim", 0).facts == Facts()


def test_the_backoff_grows_to_its_cap() -> None:
    assert [backoff(n) for n in (1, 2, 3, 99)] == [10, 20, 40, 300]


def test_a_job_whose_report_is_gone_runs_again_for_a_header_that_is_not_known() -> None:
    known = Facts(models={SHA: Fetched("claim")})
    done = job(complete=True)
    assert learn(known, [done], [], "claim", 0).expired == (done,)
    told = pod({"ok": True, "file": "a.gguf", "header": {}, "geometry": CHAT_3B.to_json()})
    assert learn(known, [done], [told], "claim", 0).expired == ()
    assert learn(replace(known, geometries={SHA: Reading(CHAT_3B)}), [done], [], "claim", 0).expired == ()


def test_a_job_that_still_runs_or_said_nothing_of_use_is_left_alone() -> None:
    known = Facts(models={SHA: Fetched("claim")})
    assert learn(known, [job(active=True)], [], "claim", 0).expired == ()
    assert learn(known, [job(complete=True)], [pod("?")], "claim", 0).expired == ()
