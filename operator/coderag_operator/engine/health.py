"""Our own health and metrics servers. They start before the Lease is asked for: a standby is healthy too.

/healthz answers as long as the event loop turns: answering at all is the proof. /readyz says whether the process is a
leader whose caches are filled, or a standby that is waiting for the Lease.
"""

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

Handler = Callable[[web.Request], Awaitable[web.Response]]
STARTING, STANDBY, SYNCING, LEADING, STOPPING = "starting", "standby", "syncing", "leading", "stopping"
READY = {STANDBY, LEADING}


class Health:
    """The phase the process is in; the engine moves it on."""

    def __init__(self) -> None:
        self.phase = STARTING

    async def live(self, _: web.Request) -> web.Response:
        """Answer, which is all that is asked."""
        return web.Response(text="ok\n")

    async def ready(self, _: web.Request) -> web.Response:
        """Answer 200 when the process does what it should in its phase."""
        return web.Response(text=f"{self.phase}\n", status=200 if self.phase in READY else 503)


def serve_metrics(registry: CollectorRegistry) -> Handler:
    """Return a handler that writes a registry out."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return metrics


async def start_server(host: str, port: int, routes: Mapping[str, Handler]) -> tuple[web.AppRunner, int]:
    """Serve GET routes; returns what stops it and the port (0 asks for any)."""
    application = web.Application()
    application.add_routes([web.get(path, handler) for path, handler in routes.items()])
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner, int(runner.addresses[0][1])
