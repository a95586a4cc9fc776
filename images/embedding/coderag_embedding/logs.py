"""JSON lines on standard output, for our own loggers and the server's."""

import logging
import sys
from datetime import UTC, datetime

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

FIELDS = "%(asctime)s %(levelname)s %(name)s %(message)s"
NAMES = {"asctime": "time", "levelname": "level", "name": "logger"}


def configure_logging(level: str) -> None:
    """Send everything at `level` or above to standard output; the server's access log is off, ours has the route."""
    handler = logging.StreamHandler(sys.stdout)
    formatter = JsonFormatter(FIELDS, rename_fields=NAMES, reserved_attrs=[*RESERVED_ATTRS, "color_message"])
    formatter.formatTime = _utc  # type: ignore[method-assign]
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("uvicorn.access").disabled = True


def _utc(record: logging.LogRecord, datefmt: str | None = None) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
