"""JSON lines on standard error, standard output being for results.

Only this package logs: the HTTP library would print whole addresses.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

LOGGER = logging.getLogger("coderag_model")


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """Return one JSON object."""
        fields: dict[str, Any] = getattr(record, "fields", {})
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        return json.dumps({"time": time, "level": record.levelname, "message": record.getMessage(), **fields})


def configure() -> None:
    """Send the lines of this package to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    LOGGER.handlers[:] = [handler]
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False


def say(message: str, **fields: Any) -> None:
    """Log one line."""
    LOGGER.info(message, extra={"fields": fields})
