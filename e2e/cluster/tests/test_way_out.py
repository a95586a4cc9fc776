"""The way out: its addresses, its process, and whom pods ask for names."""

from pathlib import Path

import pytest

from e2e.cluster import node_config, way_out
from e2e.cluster.addresses import Slot
from e2e.cluster.api_server import Layout
from e2e.cluster.certificates import Authority
from e2e.cluster.node_config import Node
from e2e.cluster.state import State


def arrange(monkeypatch: pytest.MonkeyPatch, folder: Path, resolvers: str, tun: bool = True) -> None:
    (folder / "resolv.conf").write_text(resolvers)
    monkeypatch.setattr(way_out, "RESOLVERS", folder / "resolv.conf")
    monkeypatch.setattr(way_out, "TUN", folder if tun else folder / "nothing")


def test_its_addresses_are_the_clusters_own() -> None:
    slot = Slot(3)
    assert slot.outside.subnet_of(slot.network)
    assert slot.resolver == "172.31.4.131"
    assert not any(slot.network.overlaps(Slot(other).network) for other in (2, 4))


def test_the_machines_loopback_stays_closed() -> None:
    arguments = list(way_out.command(Slot(0), Path("/run/netns/x")).arguments)
    assert "--disable-host-loopback" in arguments
    assert arguments[-2:] == [Path("/run/netns/x"), way_out.INTERFACE]


def test_names_are_asked_where_the_machine_asks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    arrange(monkeypatch, tmp_path, "# none\nsearch x\nnameserver 127.0.0.53\n")
    assert way_out.resolver(Slot(0)) == Slot(0).resolver


@pytest.mark.parametrize(("resolvers", "tun"), [("search x\n", True), ("nameserver 192.0.2.1\n", False)])
def test_without_a_resolver_or_a_way_out_nobody_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, resolvers: str, tun: bool
) -> None:
    arrange(monkeypatch, tmp_path, resolvers, tun)
    assert way_out.resolver(Slot(0)) == ""


def test_a_machine_without_resolv_conf_knows_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(way_out, "RESOLVERS", tmp_path / "resolv.conf")
    assert way_out.resolver(Slot(0)) == ""


@pytest.mark.usefixtures("cache")
def test_outside_names_are_forwarded_only_where_somebody_knows_them() -> None:
    state = State("demo")
    layout = Layout(state, Authority(state.folder / "pki"), "172.31.1.2", 6443)
    assert "forward . 172.31.1.131" in node_config.corefile(Node(layout, "172.31.1.131"))
    assert "forward" not in node_config.corefile(Node(layout))
    assert "test:53 invalid:53" in node_config.corefile(Node(layout, "172.31.1.131"))
