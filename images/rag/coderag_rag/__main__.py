"""Start the search service: `python -m coderag_rag`."""

import gc
import math
import os
import signal
import sys
from collections.abc import Mapping

import uvicorn

from coderag_rag.api.app import build_app
from coderag_rag.api.settings import ApiSettings
from coderag_rag.env import Environment, InvalidSetting
from coderag_rag.http.logs import configure_logging

# An answer ends by its deadline; this much longer the last bytes may take.
_DRAIN_MARGIN = 5
# How many new objects begin a look for garbage. A search makes some thousands, of which next to nothing is garbage that
# only such a look finds: with Python's 700 the looks are a tenth of its processor time.
_YOUNG_OBJECTS = 50_000
# Longer than clients keep an idle connection, so that none is closed under a new request.
_KEEP_ALIVE = 75


def main(environment: Mapping[str, str]) -> int:
    """Serve until SIGTERM; return 2 when a setting is missing or impossible."""
    try:
        settings = ApiSettings.read(Environment(environment))
        configure_logging(settings.log_level)
    except (InvalidSetting, ValueError) as error:
        sys.stderr.write(f"cannot start: {error}\n")
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # the server drains first and then raises the signal again
    serve(settings)
    return 0


def drain_seconds(settings: ApiSettings) -> int:
    """Return how long answers under way may take after SIGTERM; the pod's grace must be longer."""
    return math.ceil(settings.ask.seconds) + _DRAIN_MARGIN


def serve(settings: ApiSettings) -> None:
    """Run the server; on SIGTERM it takes no new requests, and those under way end by their own deadlines."""
    app = build_app(settings)
    # What is loaded by now stays: looking through it for garbage again and again stops every search for 50 ms and more.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS)
    uvicorn.run(
        app,
        host="0.0.0.0",  # noqa: S104 - in a pod the network policy decides who may connect
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=drain_seconds(settings),
    )


if __name__ == "__main__":
    sys.exit(main(os.environ))
