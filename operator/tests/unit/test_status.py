"""The status is one value; it is written when it says something new and not otherwise."""

from typing import Any

import pytest
from coderag_operator.observed.evaluation import Evaluation, Figure
from coderag_operator.observed.index import Index, Promotion, Ref, Repository, Served
from coderag_operator.observed.view import View
from coderag_operator.status import build_status, differs
from tests.unit.views import view, without

CONDITIONS = [{"type": "Ready", "status": "True"}]
ENDPOINTS = {"gateway": "http://g", "rag": "http://r"}


def build(given: View, before: dict[str, Any] | None = None, now: str = "t1") -> dict[str, Any]:
    return build_status(given, CONDITIONS, before or {}, ENDPOINTS, now)


def test_a_status_says_who_serves_and_what_is_indexed() -> None:
    status = build(view())
    assert status["summary"] == {"serving": "chat=chat,code=code", "vram": "-", "indexed": "a1b2c3d"}
    assert status["observedGeneration"] == 4
    assert status["endpoints"] == ENDPOINTS
    assert status["repositories"] == [{"name": "app", "ref": "main", "state": "Served", "commit": "a1b2c3d4e5f6"}]
    assert status["roles"][0] == {"role": "chat", "active": "chat", "since": "t1", "reason": "Own"}


@pytest.mark.parametrize(
    ("given", "serving"),
    [
        (view("chat"), "chat=code,code=code"),
        (view("gateway"), "chat=-,code=-"),
        (view("chat", "code"), "chat=-,code=-"),
        (without(view("code"), "chat"), "chat=external,code=external"),
        (without(view(), "code"), "chat=chat,code=external"),
        (view(stand_ins={"chat": "code"}), "chat=code,code=code"),
    ],
)
def test_the_serving_column_names_who_answers(given: View, serving: str) -> None:
    assert build(given)["summary"]["serving"] == serving


@pytest.mark.parametrize(
    ("given", "indexed"),
    [
        (view(repositories=()), "-"),
        (view(index=None), "0/1"),
        (view(repositories=("app", "lib")), "1/2"),
        (view(index=Index(True, "i", (Repository("app"),))), "0/1"),
    ],
)
def test_the_indexed_column_is_a_commit_or_a_count(given: View, indexed: str) -> None:
    assert build(given)["summary"]["indexed"] == indexed


def test_a_role_keeps_its_time_until_another_answers() -> None:
    before = build(view())
    assert build(view(), before, "t2")["roles"] == before["roles"]
    chat = build(view("chat"), before, "t2")["roles"][0]
    assert chat == {"role": "chat", "active": "code", "since": "t2", "from": "chat", "reason": "StandIn"}
    assert build(view("gateway"), before, "t2")["roles"][0]["reason"] == "NotServed"


def test_repositories_are_kept_while_the_worker_is_silent() -> None:
    before = build(view())
    assert build(view(index=None), before)["repositories"] == before["repositories"]
    assert build(view(index=Index(False)), before)["repositories"] == before["repositories"]
    assert build(view(invalid="x"), before)["repositories"] == before["repositories"]
    assert build(view(index=None))["repositories"] == [{"name": "app", "state": "Pending"}]


def test_a_repository_that_is_not_in_the_spec_any_more_is_not_in_the_status() -> None:
    assert "repositories" not in build(view(repositories=()))


def test_every_ref_is_in_the_status() -> None:
    app = Repository("app", "main", "Served", "a1b", refs=(Ref("next", "Failed", message="gone"),))
    status = build(view(index=Index(True, "i", (app,))))
    assert status["repositories"][0]["refs"] == [{"ref": "next", "state": "Failed", "message": "gone"}]


CHANGE = Promotion("Waiting", "old", "new", 500, 0.0, 0.01, "", "2026-01-02T03:04:05Z")


def test_a_change_of_the_model_is_in_the_status_with_its_measurement() -> None:
    report = Index(True, "i", (), CHANGE, Served("j", "all-MiniLM-L6-v2"))
    assert build(view(index=report))["index"] == {
        "model": "all-MiniLM-L6-v2",
        "promotion": {
            "state": "Waiting", "from": "old", "to": "new", "queries": 500, "ndcgChange": 0.0, "upper95": 0.01,
            "since": "2026-01-02T03:04:05Z",
        },
    }  # fmt: skip


def test_the_index_is_not_mentioned_where_nothing_is_known_of_it() -> None:
    assert "index" not in build(view(index=Index(True, "i", (), Promotion("Idle"))))


def test_a_change_of_the_model_is_kept_while_the_worker_is_silent() -> None:
    before = build(view(index=Index(True, "i", (), CHANGE)))
    for silent in (view(index=None), view(index=Index(False)), view(invalid="x")):
        assert build(silent, before)["index"] == before["index"]


def test_what_an_evaluation_found_is_in_the_status() -> None:
    figure = Figure("curated", "ndcg@10", 0.61, 0.55, 0.66)
    found = Evaluation("u", 1767322800, True, 40, 0, (("ndcg@10>=0.5", True),), (figure,))
    status = build(view(evaluation=found))
    assert status["evaluation"] == {
        "finishedAt": "2026-01-02T03:00:00Z",
        "passed": True,
        "questions": 40,
        "failed": 0,
        "gates": [{"gate": "ndcg@10>=0.5", "passed": True}],
        "figures": [{"set": "curated", "measure": "ndcg@10", "value": 0.61, "low": 0.55, "high": 0.66}],
    }
    assert build(view(invalid="x"), status)["evaluation"] == status["evaluation"]


def test_an_evaluation_without_a_report_says_why() -> None:
    status = build(view(evaluation=Evaluation("u", 0, message="no questions")))
    assert status["evaluation"] == {"finishedAt": "1970-01-01T00:00:00Z", "passed": False, "message": "no questions"}


def test_an_invalid_spec_leaves_the_endpoints() -> None:
    status = build_status(view(invalid="x"), CONDITIONS, {"endpoints": {"rag": "http://r"}}, {}, "t1")
    assert status["endpoints"] == {"rag": "http://r"}
    assert "endpoints" not in build_status(view(invalid="x"), CONDITIONS, {}, {}, "t1")


def test_lists_that_the_api_server_fills_in_are_no_difference() -> None:
    status = build(view(repositories=()))
    assert not differs(status, {**status, "repositories": []})
    assert differs(status, {})
    assert differs(status, {**status, "summary": {}})
