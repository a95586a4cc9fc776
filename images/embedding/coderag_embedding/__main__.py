"""`python -m coderag_embedding`: serve until SIGTERM, then finish what was asked and stop."""

import os
import sys

import uvicorn

from coderag_embedding.app import create_app
from coderag_embedding.logs import configure_logging
from coderag_embedding.settings import Settings, SettingsError, read_settings

KEEP_ALIVE = 75  # longer than clients keep an idle connection, so that none is closed under a new request


def build_server(settings: Settings) -> uvicorn.Server:
    """Return the server, not yet running."""
    return uvicorn.Server(
        uvicorn.Config(
            create_app(settings), host=settings.host, port=settings.port, log_config=None, access_log=False,
            server_header=False, timeout_keep_alive=KEEP_ALIVE, timeout_graceful_shutdown=settings.drain_seconds,
        )
    )  # fmt: skip


def main() -> None:
    """Read the environment and serve."""
    try:
        settings = read_settings(os.environ)
    except SettingsError as error:
        sys.exit(f"coderag_embedding cannot start:\n{error}")
    configure_logging(settings.log_level)
    build_server(settings).run()


if __name__ == "__main__":
    main()
