"""What a llama.cpp server says about its own memory while it starts: the buffers by device, and the layers on the GPU.

The lines are printed at `--log-verbosity 4`. Those of the host are told apart from the device's by their buffer's name.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

BUFFER = re.compile(r"(\S+)\s+(model|KV|compute|output|RS) buffer size\s*=\s*([0-9]{1,9}(?:\.[0-9]+)?) MiB")
OFFLOADED = re.compile(r"offloaded ([0-9]{1,6})/([0-9]{1,6}) layers to GPU")
HOST = re.compile(r"^(CPU|BLAS|AMX|ACCEL)|_Host$")
# Main memory that was not enough is none of the GPU's: fewer layers there would need more of it.
OUT_OF_MEMORY = re.compile(
    r"out of memory|(failed|unable) to allocate (?!CPU|BLAS|AMX|ACCEL)\S+(?<!_Host) buffer|failed to allocate compute",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Buffers:
    """MiB of llama.cpp's own buffers on the device, their sum on the host, and the layers on the GPU.

    `layers` is 0 where the server did not say: a build without a GPU backend.
    """

    weights: float = 0.0
    kv: float = 0.0
    compute: float = 0.0
    host: float = 0.0
    offloaded: int = 0
    layers: int = 0

    @property
    def device(self) -> float:
        """Return what the buffers on the device take together, in MiB."""
        return self.weights + self.kv + self.compute


def read_buffers(log: str) -> Buffers | None:
    """Return what the log of a server's start says, None when it says nothing about buffers."""
    found: dict[tuple[str, str], float] = {}
    for device, kind, size in BUFFER.findall(log):
        # A graph is reserved again with other sizes: its last size counts. Weights and caches come in parts.
        before = 0.0 if kind in ("compute", "output") else found.get((device, kind), 0.0)
        found[device, kind] = before + float(size)
    if not found:
        return None
    offloaded = OFFLOADED.search(log)
    return Buffers(
        weights=total(found, ("model",)),
        kv=total(found, ("KV", "RS")),
        compute=total(found, ("compute", "output")),
        host=round(sum(size for (device, _), size in found.items() if HOST.search(device)), 2),
        offloaded=int(offloaded[1]) if offloaded else 0,
        layers=int(offloaded[2]) if offloaded else 0,
    )


def total(found: dict[tuple[str, str], float], kinds: Iterable[str]) -> float:
    """Return the MiB of these kinds of buffers on the device."""
    return round(sum(size for (device, kind), size in found.items() if kind in kinds and not HOST.search(device)), 2)


def ran_out(text: str) -> bool:
    """Tell whether a server's last words are that the device's memory was not enough."""
    return bool(OUT_OF_MEMORY.search(text))
