"""`up`, `down`, `status`, `kubeconfig`, `load-image`: a cluster that runs pods."""

from typing import Any


def register(subcommands: Any) -> None:
    """Add the commands."""
