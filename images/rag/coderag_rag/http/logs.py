"""Structured logs: one JSON object a line on standard output."""

import logging
import sys

from pythonjsonlogger.json import JsonFormatter

# Access lines of probes and scrapes drown everything else; /metrics counts requests instead.
_QUIET = ("uvicorn.access", "httpx", "httpcore")


def configure_logging(level: str = "INFO") -> None:
    """Send every logger of the process to standard output as JSON."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        JsonFormatter(
            "%(asctime)s %(levelname)s %(name)s %(message)s",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
