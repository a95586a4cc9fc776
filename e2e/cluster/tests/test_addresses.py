"""Which address a cluster gets."""

import ipaddress
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e.cluster import addresses
from e2e.cluster.errors import ClusterError
from e2e.cluster.state import State


def network(text: str) -> ipaddress.IPv4Network:
    return ipaddress.IPv4Network(text)


def test_the_first_cluster_gets_the_first_pair() -> None:
    slot = addresses.choose([], [])
    assert (slot.host, slot.node) == ("172.31.1.1", "172.31.1.2")


def test_a_taken_slot_is_passed_over() -> None:
    assert addresses.choose([0, 1], []).node == "172.31.3.2"


def test_a_network_of_the_machine_is_avoided() -> None:
    assert addresses.choose([], [network("172.31.0.0/22")]).node == "172.31.4.2"


def test_a_machine_inside_172_31_gets_the_other_range() -> None:
    assert addresses.choose([], [network("172.31.0.0/16")]).node == "198.18.1.2"


def test_no_free_address_is_said_clearly() -> None:
    with pytest.raises(ClusterError, match="take down clusters"):
        addresses.choose(range(len(addresses.SLOTS)), [])


@given(st.sets(st.integers(0, len(addresses.SLOTS) - 1), max_size=400))
def test_two_clusters_never_share_an_address(taken: set[int]) -> None:
    chosen = addresses.choose(taken, [])
    assert chosen.number not in taken
    assert not any(chosen.network.overlaps(addresses.Slot(number).network) for number in taken)


@given(st.integers(0, len(addresses.SLOTS) - 1))
def test_an_interface_name_fits_the_kernel_limit(number: int) -> None:
    assert len(addresses.Slot(number).interface) <= 15


def test_the_default_route_is_no_network() -> None:
    routes = json.dumps([{"dst": "default"}, {"dst": "10.0.0.0/8"}, {"dst": "192.0.2.7"}])
    assert addresses.machine_networks(routes) == [network("10.0.0.0/8"), network("192.0.2.7/32")]


def test_a_machine_without_routes_has_no_networks() -> None:
    assert addresses.machine_networks("") == []


@pytest.fixture
def no_routes(monkeypatch: pytest.MonkeyPatch) -> None:
    done = type("Done", (), {"stdout": "[]"})()
    monkeypatch.setattr(addresses, "run", lambda *_, **__: done)


@pytest.mark.usefixtures("cache", "no_routes")
def test_a_slot_is_remembered_and_others_see_it() -> None:
    first, second = State("first"), State("second")
    assert addresses.take(first) == addresses.take(first) == addresses.remembered(first)
    assert addresses.take(second).number == 1


def test_an_unknown_cluster_has_no_slot(cache: Path) -> None:
    assert addresses.remembered(State("nobody")) is None
    assert addresses.all_taken() == []
    assert list(cache.iterdir()) == []
