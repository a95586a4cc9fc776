"""IndexReady and IndexCompatible: every ref is served, and with the embedding model that the spec asks for."""

import pytest
from coderag_operator.conditions import judge
from coderag_operator.observed.index import Index, Promotion, Ref, Repository, Served
from coderag_operator.observed.view import View
from tests.unit.views import view

NEXT = {"app": ("next",)}


def find(given: View, kind: str) -> tuple[str, str, str]:
    return next((one.status, one.reason, one.message) for one in judge(given) if one.type == kind)


def report(*refs: Ref) -> Index:
    return Index(True, "new", (Repository("app", "main", "Served", "a1b", refs=refs),))


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (report(Ref("next", "Served", "c2d")), ("True", "AllServed", "every repository has a served commit")),
        (report(), ("False", "Indexing", "not indexed yet: app@next")),
        (report(Ref("next", "Syncing")), ("False", "Indexing", "not indexed yet: app@next")),
        (report(Ref("next", "Failed", message="no such ref")), ("False", "SyncFailed", "app@next: no such ref")),
        (report(Ref("next", "Failed")), ("False", "SyncFailed", "app@next: see the log of ingestion")),
        (Index(True, "new"), ("False", "Indexing", "not indexed yet: app, app@next")),
    ],
)
def test_the_index_is_ready_when_every_ref_is_served(index: Index, expected: tuple[str, str, str]) -> None:
    assert find(view(index=index, refs=NEXT), "IndexReady") == expected


def test_a_message_names_some_of_many_repositories() -> None:
    names = tuple(f"r{n:02}" for n in range(40))
    message = find(view(index=Index(True, "i"), repositories=names), "IndexReady")[2]
    assert message.endswith("r15, and 24 more")


OLD = Served("old", "all-MiniLM-L6-v2")


@pytest.mark.parametrize(
    ("promotion", "reason", "words"),
    [
        (Promotion(), "Rebuilding", "the index for all-MiniLM-L6-v2 answers until"),
        (Promotion("Building"), "Rebuilding", "the index for all-MiniLM-L6-v2 answers until"),
        (
            Promotion("Waiting", queries=500, ndcg_change=0.02, upper95=0.04),
            "AwaitingPromotion",
            "is ready (nDCG@10 +0.0200, at most +0.0400, 500 queries) and waits for a person",
        ),
        (Promotion("Waiting", ndcg_change=0.02), "AwaitingPromotion", "is ready (nDCG@10 +0.0200, 0 queries) and"),
        (Promotion("Waiting"), "AwaitingPromotion", "is ready and waits for a person"),
        (Promotion("Refused", reason="files are missing"), "PromotionRefused", "files are missing; the index for all-"),
        (Promotion("Refused"), "PromotionRefused", "is worse; the index for all-MiniLM-L6-v2 goes on answering"),
    ],
)
def test_while_the_model_changes_the_condition_says_how_far_it_is(
    promotion: Promotion, reason: str, words: str
) -> None:
    status, found, message = find(view(index=Index(True, "new", (), promotion, OLD)), "IndexCompatible")
    assert (status, found) == ("False", reason)
    assert words in message


@pytest.mark.parametrize("promotion", [Promotion("Promoted"), Promotion("Idle"), Promotion()])
def test_the_index_of_the_wanted_model_is_compatible(promotion: Promotion) -> None:
    index = Index(True, "new", (), promotion, Served("new", "KURE-v1"))
    assert find(view(index=index), "IndexCompatible")[:2] == ("True", "SameIdentity")


def test_a_change_is_told_also_where_the_old_model_has_no_name() -> None:
    index = Index(True, "new", (), Promotion("Building"))
    assert "the index for the model before answers" in find(view(index=index), "IndexCompatible")[2]
