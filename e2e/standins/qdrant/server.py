"""Put the routes together and serve them until SIGTERM."""

import argparse
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from e2e.standins.qdrant import replies, routes_collections, routes_points, routes_service
from e2e.standins.qdrant.catalog import Catalog
from e2e.standins.qdrant.keys import KeyMiddleware, Keys


def build_app(data: Path, keys: Keys) -> FastAPI:
    """Return the application on a storage folder."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.catalog = Catalog(data)
        yield
        app.state.catalog.close()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    for router in (routes_service.router, routes_collections.router, routes_points.router, routes_service.rest):
        app.include_router(router)
    replies.install(app)
    app.add_middleware(KeyMiddleware, keys=keys)
    return app


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="qdrant stand-in", description="Qdrant's REST routes on its edge engine")
    parser.add_argument("--host", default="0.0.0.0")
    parser.add_argument("--port", type=int, default=6333, help="0 takes a free one and prints it")
    parser.add_argument("--data", type=Path, default=Path("/qdrant/storage"))
    return parser.parse_args(argv)


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket that names its protocol: asyncio leaves Nagle's algorithm on where it is not named.

    Each answer, a head and then a body, would wait 40 ms for the acknowledgement of its head.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(128)
    return listener


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM, then flush every collection."""
    options = parse(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises it again when it has shut down
    app = build_app(options.data, Keys.from_environment(os.environ))
    with listen(options.host, options.port) as listener:
        print(f"qdrant stand-in on port {listener.getsockname()[1]}", flush=True)
        config = uvicorn.Config(app, log_level="warning", timeout_keep_alive=75, server_header=False)
        uvicorn.Server(config).run(sockets=[listener])
    return 0
