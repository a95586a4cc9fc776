"""`python -m coderag_rag.ingestion`: read the settings, then serve until SIGTERM; with `dry-run` look at a remote."""

import logging
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from coderag_rag.env import Environment, InvalidSetting
from coderag_rag.http.logs import configure_logging
from coderag_rag.ingestion.command import dry_run
from coderag_rag.ingestion.service import build_app
from coderag_rag.ingestion.settings import Settings

logger = logging.getLogger("coderag_rag.ingestion")


def main(arguments: Sequence[str] = ()) -> int:
    """Run the worker; a wrong setting ends it at once with a message that names the setting."""
    if arguments:
        return dry_run(arguments)
    configure_logging(os.environ.get("LOG_LEVEL", "INFO"))
    try:
        settings = Settings.read(Environment(os.environ))
        settings.work_dir.mkdir(parents=True, exist_ok=True)
    except (InvalidSetting, OSError) as error:
        logger.critical("the worker cannot start", extra={"reason": str(error)})
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn drains first and then raises the signal again
    with tempfile.TemporaryDirectory(prefix="ingestion-") as private:
        app = build_app(settings, Path(private))
        uvicorn.run(app, host="0.0.0.0", port=settings.port, log_config=None, timeout_graceful_shutdown=10)  # noqa: S104
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
