"""/health from what the background watches remember, and the probe of a model server."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

import httpx

from coderag_rag.http.health import Health
from coderag_rag.query.guard import DependencyDown
from coderag_rag.query.watch import Watch


class WatchedHealth(Health):
    """Health whose report costs no request to any dependency."""

    def __init__(self) -> None:
        super().__init__()
        self.watches: list[Watch] = []
        self._required: dict[str, str] = {}

    def watch(self, watch: Watch) -> None:
        """Add a dependency to the report."""
        self.watches.append(watch)

    def require(self, name: str, detail: str) -> None:
        """Make the start wait for a dependency, and say in /readyz what is missing."""
        self._required[name] = detail
        self.waiting_for("; ".join(self._required.values()))

    def fulfil(self, name: str) -> None:
        """Wait for this dependency no longer; the last one completes the start."""
        self._required.pop(name, None)
        self.waiting_for("; ".join(self._required.values()))
        if not self._required:
            self.mark_ready()

    async def report(self) -> dict[str, Any]:
        """Return the last known state of every dependency."""
        dependencies = {watch.name: asdict(watch.state) for watch in self.watches}
        status = "ok" if all(watch.state.ok for watch in self.watches) else "degraded"
        return {"status": status, "dependencies": dependencies}


def server_probe(client: httpx.AsyncClient, name: str, url: str) -> Callable[[], Awaitable[None]]:
    """Return a check of a model server: any answer but a 5xx, for servers of others may have no /health."""

    async def check() -> None:
        try:
            response = await client.get(f"{url}/health")
        except httpx.HTTPError as error:
            raise DependencyDown(name, f"not reachable ({type(error).__name__})") from error
        if response.status_code >= 500:
            raise DependencyDown(name, f"its /health answered {response.status_code}")

    return check
