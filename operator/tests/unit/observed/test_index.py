"""The worker's report is read defensively: another version of it must not stop a pass."""

from typing import Any

import pytest
from coderag_operator.observed.index import MOST_REFS, Index, Promotion, Ref, Repository, Served, read_index, read_time
from hypothesis import given
from hypothesis import strategies as st

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=9), x, max_size=3),
    max_leaves=6,
)


def test_a_report_is_read() -> None:
    entry = {"name": "b", "ref": "main", "state": "Served", "commit": "c", "indexed_at": "2026-01-02T03:04:05+01:00",
             "files": 3, "chunks": 9, "skipped": [{}], "message": None, "next_sync": "x"}  # fmt: skip
    report = read_index({"identity": "i", "repositories": [entry, {"name": "a"}, "odd"]})
    served = Repository("b", "main", "Served", "c", "2026-01-02T02:04:05Z", 3, 9, 1, "")
    assert report == Index(True, "i", (Repository("a"), served))


def test_every_ref_of_a_repository_is_read() -> None:
    refs = [{"ref": "next", "state": "Failed", "message": "m" * 999}, {"ref": "main", "commit": "c"}, "odd", {}]
    report = read_index({"repositories": [{"name": "a", "ref": "main", "refs": refs}]})
    assert report.repositories[0].refs == (Ref("next", "Failed", message="m" * 200),)


def test_a_worker_that_reports_many_refs_does_not_fill_the_status() -> None:
    refs = [{"ref": f"r{n}", "state": "Served"} for n in range(99)]
    report = read_index({"repositories": [{"name": "a", "refs": refs}]})
    assert len(report.repositories[0].refs) == MOST_REFS


def test_a_change_of_the_model_is_read() -> None:
    change = {"state": "Refused", "from": "a", "to": "b", "queries": 410, "ndcg_change": -0.051234, "upper95": -0.03,
              "reason": "r" * 999, "since": "2026-01-02T03:04:05Z"}  # fmt: skip
    report = read_index({"promotion": change, "served": {"identity": "i", "model": "all-MiniLM-L6-v2"}})
    since = "2026-01-02T03:04:05Z"
    assert report.promotion == Promotion("Refused", "a", "b", 410, -0.0512, -0.03, "r" * 300, since)
    assert report.served == Served("i", "all-MiniLM-L6-v2")


@pytest.mark.parametrize("value", [None, "0.1", True, float("nan"), float("inf")])
def test_a_figure_that_is_none_is_left_out(value: object) -> None:
    assert read_index({"promotion": {"ndcg_change": value}}).promotion.ndcg_change is None


@given(st.dictionaries(st.sampled_from(["identity", "repositories", "promotion", "served"]), JSON))
def test_whatever_a_worker_answers_can_be_read(document: dict[str, Any]) -> None:
    assert read_index(document).reachable


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-01-02T03:04:05.5", "2026-01-02T03:04:05Z"),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
        (None, ""),
        (5, ""),
    ],
)
def test_times_are_written_as_the_api_server_takes_them(text: object, time: str) -> None:
    assert read_time(text) == time


@pytest.mark.parametrize("value", [-1, "3", None])
def test_a_count_that_is_none_is_zero(value: object) -> None:
    report = read_index({"repositories": [{"name": "a", "files": value}]})
    assert report.repositories[0].files == 0
