"""Which provider holds a cluster: apart from the interface, because it knows every provider and they know it not."""

from e2e.cluster.kind import KIND, KindProvider
from e2e.cluster.node import NodeProvider
from e2e.cluster.options import Options
from e2e.cluster.provider import Provider, choose
from e2e.cluster.state import State


def provider_of(name: str) -> str | None:
    """The provider that an existing cluster was brought up with."""
    settings = State(name).settings()
    return settings["provider"] if settings else None


def open_provider(name: str, wanted: str = "auto", options: Options | None = None) -> Provider:
    """The provider for a cluster: the one it has, the one that is asked for, or the one that fits this machine."""
    provider = (provider_of(name) or choose()) if wanted == "auto" else wanted
    return KindProvider(name, options) if provider == KIND else NodeProvider(name, options)
