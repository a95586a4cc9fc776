"""Qdrant's REST routes on Qdrant's own engine (`qdrant-edge-py`), for machines where the server program cannot be had.

Scoring, filters, fusion and storage are the engine's. Aliases, keys, collection settings and metrics, which the
edge engine lacks, are kept here. Speed figures taken against it are not Qdrant's.
"""

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM; see `--help`."""
    from e2e.standins.qdrant.server import main as serve  # the engine is large: load it only when it is asked for

    return serve(argv)
