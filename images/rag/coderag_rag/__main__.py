"""Start the search service: `python -m coderag_rag`."""

import os
import sys
from collections.abc import Mapping

import uvicorn

from coderag_rag.api.app import build_app
from coderag_rag.api.settings import ApiSettings
from coderag_rag.env import Environment, InvalidSetting
from coderag_rag.http.logs import configure_logging

_DRAIN_SECONDS = 15


def main(environment: Mapping[str, str]) -> int:
    """Serve until SIGTERM; return 2 when a setting is missing or impossible."""
    try:
        settings = ApiSettings.read(Environment(environment))
        configure_logging(settings.log_level)
    except (InvalidSetting, ValueError) as error:
        sys.stderr.write(f"cannot start: {error}\n")
        return 2
    serve(settings)
    return 0


def serve(settings: ApiSettings) -> None:
    """Run the server; on SIGTERM running requests are given time to end."""
    uvicorn.run(
        build_app(settings),
        host="0.0.0.0",  # noqa: S104 - in a pod the network policy decides who may connect
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )


if __name__ == "__main__":
    sys.exit(main(os.environ))
