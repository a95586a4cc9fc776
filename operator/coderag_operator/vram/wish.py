"""What a stack asks of the planner: one wish for each model server, and what they may take together."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from coderag_model.geometry import Geometry

LEAST_CONTEXT = 2048  # down to which a context may go where nobody says; below it an answer has no room
ROLES = ("chat", "code")  # what matters more comes first: a person waits for each word of a chat


@dataclass(frozen=True, slots=True)
class Wish:
    """What the spec asks for one model; what is neither Auto nor None is kept. Raises ValueError naming the field."""

    geometry: Geometry
    context_tokens: int  # of one slot
    min_context_tokens: int  # what a slot must have at least
    parallel: int  # slots; never changed: who asks for two answers at a time gets them
    gpu_layers: int | Literal["Auto", "All"] = "Auto"
    kv_type: Literal["Auto", "f16", "q8_0"] = "Auto"
    ubatch: int | None = None  # tokens of a prompt that are computed at once

    def __post_init__(self) -> None:
        """Refuse what no server can be."""
        if not 1 <= self.min_context_tokens <= self.context_tokens:
            raise ValueError(f"min_context_tokens is {self.min_context_tokens}, not 1 to {self.context_tokens}")
        for name, value in (("parallel", self.parallel), ("ubatch", 1 if self.ubatch is None else self.ubatch)):
            if value < 1:
                raise ValueError(f"{name} is {value}, not at least 1")
        if isinstance(self.gpu_layers, int) and self.gpu_layers < 0:
            raise ValueError(f"gpu_layers is {self.gpu_layers}, not at least 0")

    @property
    def all_layers(self) -> int:
        """What full offload is as --n-gpu-layers: every block and the output."""
        return self.geometry.layers + 1

    @property
    def given_layers(self) -> int | None:
        """The number of layers that the user gave, None when the planner may choose."""
        if self.gpu_layers == "Auto":
            return None
        return self.all_layers if self.gpu_layers == "All" else min(self.gpu_layers, self.all_layers)


@dataclass(frozen=True, slots=True)
class Limits:
    """What the servers may take of the device in MiB: together, and where sharing splits the device, each of them."""

    budget_mib: int
    per_server_mib: int | None = None

    def hold(self, totals: Collection[float]) -> bool:
        """Return whether servers of these sizes fit."""
        largest = self.budget_mib if self.per_server_mib is None else self.per_server_mib
        return sum(totals) <= self.budget_mib and all(total <= largest for total in totals)
