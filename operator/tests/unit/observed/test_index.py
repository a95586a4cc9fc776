"""The worker's report is read defensively: another version of it must not stop a pass."""

from typing import Any

import pytest
from coderag_operator.observed.index import Index, Repository, read_index, read_time
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


@given(st.dictionaries(st.sampled_from(["identity", "repositories"]), JSON))
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
