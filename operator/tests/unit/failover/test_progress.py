"""A server that hangs is told from one that is slow, whatever its build answers while it decodes."""

import pytest
from coderag_operator.failover.progress import Counters, Progress, Read
from hypothesis import given
from hypothesis import strategies as st

STALL = 10.0


def follow(reads: list[tuple[float, Read, Counters | None]]) -> list[bool]:
    """Return, after each read, whether the server counts as wedged."""
    progress, verdicts = Progress(), []
    for began, read, counters in reads:
        progress = progress.follow(read, counters, began)
        verdicts.append(progress.stuck_since is not None and began - progress.stuck_since >= STALL)
    return verdicts


def answered(began: float, held: int, *work: float) -> tuple[float, Read, Counters]:
    return began, Read.ANSWERED, Counters(held, work)


def silent(began: float) -> tuple[float, Read, None]:
    return began, Read.SILENT, None


def test_requests_in_hand_without_a_step_of_work_are_a_hang_after_the_stall_time():
    assert follow([answered(t, 1, 5, 7) for t in range(13)]) == [False] * 11 + [True] * 2


def test_a_server_that_says_nothing_for_the_stall_time_hangs():
    assert follow([answered(0, 0, 1)] + [silent(t) for t in range(1, 13)])[-3:] == [False, True, True]


def test_a_slow_server_that_still_moves_never_hangs():
    assert not any(follow([answered(t, 4, t // 9) for t in range(200)]))


def test_an_old_build_that_answers_between_two_batches_never_hangs_while_they_are_shorter_than_the_stall_time():
    reads = []
    for batch in range(20):
        reads += [silent(batch * 9 + second) for second in range(8)] + [answered(batch * 9 + 8, 1, batch)]
    assert not any(follow(reads))


def test_an_idle_server_never_hangs():
    assert not any(follow([answered(t, 0, 5) for t in range(100)]))


@pytest.mark.parametrize("read", [Read.FAILED, Read.REFUSED])
def test_a_read_that_failed_says_nothing_and_starts_the_count_anew(read: Read):
    reads = [silent(t) for t in range(9)] + [(9.0, read, None)] + [silent(t) for t in range(10, 19)]
    assert not any(follow(reads))


KINDS = st.sampled_from(["silent", "still", "moving", "idle", "failed"])


@given(st.lists(st.tuples(st.floats(0.1, 5), KINDS), max_size=60))
def test_a_verdict_needs_the_whole_stall_time_without_any_sign_of_work(script: list[tuple[float, str]]):
    now, work, reads, quiet = 0.0, 0, [], []
    for pause, kind in script:
        now += pause
        work += kind == "moving"
        if kind == "silent":
            reads.append(silent(now))
        elif kind == "failed":
            reads.append((now, Read.FAILED, None))
        else:
            reads.append(answered(now, 0 if kind == "idle" else 1, work))
        quiet.append((now, kind))
    for n, wedged in enumerate(follow(reads)):
        if wedged:
            recent = [kind for at, kind in quiet[: n + 1] if quiet[n][0] - at < STALL]
            assert not {"moving", "idle", "failed"} & set(recent)
