"""What a person may ask of a cluster, whichever provider brings it up."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from e2e.cluster.errors import ClusterError


@dataclass(frozen=True)
class Options:
    """GPUs to announce and labels of the node."""

    gpus: int = 0
    labels: dict[str, str] = field(default_factory=dict)


def parse_labels(texts: Iterable[str]) -> dict[str, str]:
    """A mapping from key=value texts."""
    found = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not key or not separator:
            raise ClusterError(f"--label {text!r} is not KEY=VALUE", "for example --label nvidia.com/gpu.memory=6144")
        found[key] = value
    return found


def gpu_count(text: str) -> int:
    """A number of GPUs from the command line."""
    if not text.isdigit() or int(text) > 64:
        raise ClusterError(f"--gpu {text!r} is not a number from 0 to 64")
    return int(text)
