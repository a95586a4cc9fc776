"""A pass sees its own writes before the watches do, and forgets them in time."""

from dataclasses import replace
from typing import Any

from coderag_operator.errors import Terminal
from coderag_operator.kube.cache import REFUSAL_SECONDS, SETTLE_SECONDS, Memory, is_older
from coderag_operator.observed import project


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def live(version: str = "5", name: str = "a") -> dict[str, Any]:
    return {"kind": "Service", "metadata": {"name": name, "namespace": "team", "uid": "u", "resourceVersion": version}}


KEY = ("Service", "a")


def test_a_fresh_object_is_seen_before_the_watch_shows_it() -> None:
    clock = Clock()
    memory = Memory(clock)
    made = memory.keep_applied(live(), "digest")
    assert memory.read_children([]) == ((made,), True)
    clock.now = SETTLE_SECONDS
    assert memory.read_children([]) == ((), False)
    assert memory.applied == {}


def test_an_older_view_is_corrected_and_a_newer_one_believed() -> None:
    memory = Memory(Clock())
    made = memory.keep_applied(live("5"), "digest")
    assert memory.read_children([project(live("4"))]) == ((made,), False)
    assert memory.read_children([project(live("6"))]) == ((project(live("6")),), False)
    assert memory.applied == {KEY: ("5", "digest")}


def test_a_deleted_object_is_on_its_way_out_until_the_watch_says_so() -> None:
    memory = Memory(Clock())
    child = project(live())
    memory.keep_deleted(child)
    assert memory.read_children([child]) == ((replace(child, deleting=True),), False)
    assert memory.read_children([]) == ((), False)


def test_an_object_made_again_under_the_name_of_a_deleted_one_is_believed() -> None:
    memory = Memory(Clock())
    memory.keep_deleted(project(live("5")))
    assert memory.read_children([project(live("9"))])[0] == (project(live("9")),)


def test_a_created_object_counts_as_ours_without_an_apply() -> None:
    memory = Memory(Clock())
    made = memory.keep_created(live())
    assert memory.read_children([])[0] == (made,)
    assert memory.applied == {}


def test_a_refused_body_is_not_sent_again_until_something_changes() -> None:
    clock = Clock()
    memory, failure = Memory(clock), Terminal("Invalid", "no")
    memory.keep_refused(KEY, "5", "digest", failure)
    assert memory.find_refusal(KEY, "5", "digest") is failure
    assert memory.find_refusal(KEY, "6", "digest") is None
    assert memory.find_refusal(KEY, "5", "other") is None
    assert memory.find_refusal(("Service", "b"), "5", "digest") is None
    clock.now = REFUSAL_SECONDS
    assert memory.find_refusal(KEY, "5", "digest") is None


def test_our_own_status_is_read_until_the_watch_shows_it() -> None:
    memory = Memory(Clock())
    seen = live("4") | {"status": {"old": True}}
    assert memory.read_stack(seen) is seen
    memory.keep_stack(live("5") | {"status": {"new": True}})
    assert memory.read_stack(seen)["status"] == {"new": True}
    assert memory.read_stack(live("5")) == live("5")
    again = {**seen, "metadata": {**seen["metadata"], "uid": "another"}}
    assert memory.read_stack(again) is again


def test_versions_that_are_no_numbers_are_never_older() -> None:
    assert is_older("9", "10")
    assert not is_older("10", "9")
    assert not is_older("a", "b")
