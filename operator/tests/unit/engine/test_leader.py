"""One leader at a time; a dead one is replaced after its Lease ran out, a stopped one at once."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from coderag_operator.engine.leader import Leader
from coderag_operator.errors import Transient
from tests.support.memory_kube import MemoryKube


@dataclass
class World:
    """An API server and a clock for several candidates."""

    kube: MemoryKube = field(default_factory=MemoryKube)
    now: float = 0.0

    def candidate(self, name: str) -> Leader:
        return Leader(self.kube, "ops", "lease", name, clock=lambda: self.now)

    @property
    def record(self) -> dict[str, Any]:
        return dict(self.kube.objects["Lease", "ops", "lease"]["spec"])


@pytest.fixture
def world() -> World:
    return World()


def test_the_first_candidate_leads_and_the_second_waits(world: World) -> None:
    one, two = world.candidate("one"), world.candidate("two")
    assert (one.step(), two.step(), one.leading, two.leading) == (True, False, True, False)
    assert world.record["holderIdentity"] == "one"
    assert world.record["leaseDurationSeconds"] == 15


def test_a_leader_that_is_gone_is_replaced_after_its_lease(world: World) -> None:
    one, two = world.candidate("one"), world.candidate("two")
    one.step()
    two.step()
    world.now = 14.9
    assert not two.step()
    world.now = 15.0
    assert two.step()
    assert world.record["leaseTransitions"] == 1


def test_a_leader_that_renews_keeps_the_lease(world: World) -> None:
    one, two = world.candidate("one"), world.candidate("two")
    for world.now in range(0, 60, 2):
        assert one.step()
        assert not two.step()
    assert world.record["leaseTransitions"] == 0


def test_a_leader_that_cannot_renew_gives_up_before_others_may_take_over(world: World) -> None:
    one = world.candidate("one")
    one.step()
    world.kube.before = lambda verb, name: Transient("Unreachable", "gone")
    world.now = 9.9
    assert one.step()
    world.now = 10.0
    assert not one.step()
    assert not one.leading


def test_a_leader_whose_name_was_overwritten_is_none_any_more(world: World) -> None:
    one = world.candidate("one")
    one.step()
    world.kube.edit(("Lease", "ops", "lease"), lambda live: live["spec"].update(holderIdentity="two"))
    one.step()
    assert not one.leading


def test_a_renewal_is_one_request(world: World) -> None:
    one = world.candidate("one")
    one.step()
    one.step()
    world.kube.get = lambda *_: pytest.fail("a renewal reads nothing")  # type: ignore[method-assign]
    assert one.step()


def test_a_lease_that_was_deleted_is_made_again(world: World) -> None:
    one = world.candidate("one")
    one.step()
    one.step()
    world.kube.remove(("Lease", "ops", "lease"))
    assert one.step()
    assert world.record["holderIdentity"] == "one"


def test_a_released_lease_is_taken_at_once(world: World) -> None:
    one, two = world.candidate("one"), world.candidate("two")
    one.step()
    two.step()
    one.release()
    assert not one.leading
    assert two.step()


def test_who_does_not_lead_releases_nothing(world: World) -> None:
    one, two = world.candidate("one"), world.candidate("two")
    one.step()
    two.release()
    assert world.record["holderIdentity"] == "one"


def test_a_release_that_fails_is_logged_and_left_to_expire(world: World, caplog: pytest.LogCaptureFixture) -> None:
    one = world.candidate("one")
    one.step()
    world.kube.before = lambda verb, name: Transient("Unreachable", "gone")
    one.release()
    assert "Lease could not be released" in caplog.text


@pytest.mark.parametrize("reason", ["Conflict", "InternalError"])
def test_a_lost_race_is_no_leadership(world: World, reason: str) -> None:
    one, two = world.candidate("one"), world.candidate("two")
    one.step()
    one.release()
    world.kube.before = lambda verb, name: Transient(reason, "raced")
    assert not two.step()


def test_two_that_create_at_once_do_not_both_lead(world: World) -> None:
    one, two = world.candidate("one"), world.candidate("two")
    world.kube.get = lambda *_: None  # type: ignore[method-assign]
    assert (one.step(), two.step()) == (True, False)


def test_a_run_tells_once_that_it_leads_and_once_that_it_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr("coderag_operator.engine.leader.RETRY_PERIOD", 0)
    one = world.candidate("one")

    def gained() -> None:
        told.append("gained")
        world.kube.edit(("Lease", "ops", "lease"), lambda live: live["spec"].update(holderIdentity="two"))

    one.run(gained, lambda: told.append("lost"))
    assert told == ["gained", "lost"]


def test_a_stopped_run_ends_quietly(world: World) -> None:
    one = world.candidate("one")
    told: list[str] = []
    one.run(lambda: (told.append("gained"), one.stop())[0], lambda: told.append("lost"))
    assert told == ["gained"]
