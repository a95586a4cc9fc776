"""The counts add up and each figure means what its name says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e.failover.accounting import Window, longest_gap, quantile, summarise
from e2e.failover.record import Outcome, Record, read_lines, to_line

FAULT = Window(100.0, 130.0)


def request(start, latency=0.1, outcome=Outcome.OK, served_by="chat", stream=False, first=None):
    return Record(int(start * 10), "gateway", stream, start, first, start + latency, outcome, 200, served_by)


def healthy(count=20):
    return [request(100 - count + n) for n in range(count)]


times = st.floats(min_value=0, max_value=200)
records = st.lists(
    st.builds(
        lambda start, latency, outcome, by, stream: request(start, latency, outcome, by, stream),
        times,
        st.floats(min_value=0, max_value=60),
        st.sampled_from(list(Outcome)),
        st.sampled_from(["", "chat", "code"]),
        st.booleans(),
    ),
    max_size=40,
)


@given(records)
def test_every_request_is_counted_once(found):
    summary = summarise(found, FAULT, "chat")
    assert summary.sent == len(found) == sum(summary.outcomes.values())
    assert summary.failed + summary.cut + summary.outcomes[Outcome.OK] == summary.sent


@given(records)
def test_an_outage_is_never_longer_than_the_window(found):
    assert 0 <= summarise(found, FAULT, "chat").outage <= 30


@given(records)
def test_a_record_survives_its_line(found):
    assert list(read_lines(to_line(one) + "\n" for one in found)) == found


def test_a_line_that_is_still_being_written_is_left_for_later():
    whole = to_line(request(1)) + "\n"
    assert len(list(read_lines([whole, "\n", whole[:20]]))) == 1


def test_a_stream_that_had_begun_is_counted_apart_from_failures():
    cut = request(99.9, 0.5, Outcome.CUT, "", stream=True, first=99.95)
    summary = summarise([*healthy(), cut, request(101, 0.1, Outcome.REFUSED, "")], FAULT, "chat")
    assert (summary.cut, summary.failed) == (1, 1)


def test_the_first_affected_request_is_timed_from_the_fault_not_from_its_own_start():
    summary = summarise([*healthy(), request(99.0, 4.0, served_by="code"), request(101, 0.2)], FAULT, "chat")
    assert summary.first_affected == pytest.approx(3.0)


def test_a_stream_that_was_cut_waited_to_its_end():
    cut = request(99.0, 4.0, Outcome.CUT, "", stream=True, first=99.1)
    assert summarise([*healthy(), cut], FAULT, "chat").first_affected == pytest.approx(3.0)


def test_a_request_that_began_after_the_fault_is_timed_from_its_start():
    summary = summarise([*healthy(), request(110, 4.0, served_by="code")], FAULT, "chat")
    assert summary.first_affected == pytest.approx(4.0)


def test_a_fault_that_nobody_notices_has_no_first_affected_request():
    summary = summarise([*healthy(), request(105)], FAULT, "chat")
    assert (summary.first_affected, summary.detected, summary.later_excess) == (None, None, None)
    assert summary.before_detection == 0


def test_requests_before_detection_and_after_it_are_told_apart():
    found = [*healthy(), request(101, 9, served_by="code"), request(105, 5.5, served_by="code"),
             request(111, 1.1, served_by="code")]  # fmt: skip
    summary = summarise(found, FAULT, "chat")
    assert summary.detected == pytest.approx(10.0)
    assert summary.before_detection == 2
    assert summary.later_excess == pytest.approx(1.0)
    assert summary.stood_in == pytest.approx(12.1)


def test_without_a_stand_in_every_affected_request_is_one_before_detection():
    found = [*healthy(), request(101, 0.1, Outcome.REFUSED, ""), request(102, 0.1, Outcome.FAILED, "")]
    summary = summarise(found, FAULT)
    assert (summary.detected, summary.before_detection) == (None, 2)


def test_a_stream_is_answered_with_its_first_token():
    assert request(100, 5, stream=True, first=100.5).latency == pytest.approx(0.5)
    assert request(100, 5, stream=False, first=100.5).latency == pytest.approx(5)


def test_the_outage_is_the_longest_time_without_an_answer():
    assert longest_gap([101, 102, 115, 116, 129], FAULT) == 13
    assert longest_gap([], FAULT) == 30
    assert longest_gap([90, 140], FAULT) == 30


def test_a_quantile_is_one_of_the_values():
    assert quantile([], 0.5) is None
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([float(n) for n in range(1, 101)], 0.95) == 95.0
    assert quantile([7.0], 0.0) == 7.0


def test_the_median_counts_only_what_was_over_before_the_fault():
    summary = summarise([*healthy(), request(99.5, 20)], FAULT, "chat")
    assert summary.healthy == pytest.approx(0.1)
