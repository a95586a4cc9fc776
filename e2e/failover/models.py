"""Other model files for a role: another good one, and those that go wrong in a known way."""

import hashlib
import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from e2e import install
from e2e.failover.faults import Act
from e2e.failover.site import ROLES, Site

NEXT, SHORT, CRASH, MUTE = "next.model", "short.model", "crash.model", "mute.model"
WRONG = "wrong sha"


def source(site: Site, file: str) -> dict[str, str]:
    """Return address and digest of a file of the hub stand-in."""
    with site.cluster.forward(site.namespace, "service/standins-hub", install.PORTS["hub"]) as url:
        digest = hashlib.sha256(urllib.request.urlopen(f"{url}/{file}", timeout=60).read()).hexdigest()
    return {"url": f"http://standins-hub.{site.namespace}.svc:{install.PORTS['hub']}/{file}", "sha256": digest}


def wrong_source(site: Site) -> dict[str, str]:
    """Return a good file's address with a digest that is not its own."""
    return {**source(site, NEXT), "sha256": "0" * 64}


def read_source(site: Site, role: str = "chat") -> dict[str, str]:
    """Return what the spec says now."""
    return dict(site.get("crs", site.name)["spec"]["models"][role]["llamaCpp"]["source"]["http"])


def set_source(site: Site, wanted: dict[str, str], role: str = "chat") -> None:
    """Change a model in the spec."""
    set_sources(site, {role: wanted})


@contextmanager
def all_changed(site: Site, file: str) -> Iterator[None]:
    """Change both models at once, so that one role has to wait for the other; at the end the old ones are wanted."""
    before = {role: read_source(site, role) for role in ROLES}
    wanted = source(site, file)
    set_sources(site, dict.fromkeys(before, wanted))
    try:
        yield
    finally:
        set_sources(site, before)


def set_sources(site: Site, wanted: dict[str, dict[str, str]]) -> None:
    """Change the models of several roles in one write."""
    patch(site, {"models": {role: {"llamaCpp": {"source": {"http": one}}} for role, one in wanted.items()}})


def patch(site: Site, spec: dict[str, Any]) -> None:
    """Merge-patch the spec of the stack."""
    site.kubectl("patch", "crs", site.name, "--type=merge", "-p", json.dumps({"spec": spec}))


def changed(file: str, role: str = "chat", keep: bool = False) -> Act:
    """Return a change of the model to a file of the hub; at the end the old one is wanted again, unless kept."""

    @contextmanager
    def act(site: Site) -> Iterator[None]:
        before = read_source(site, role)
        set_source(site, wrong_source(site) if file == WRONG else source(site, file), role)
        try:
            yield
        finally:
            if not keep:
                set_source(site, before, role)

    return act
