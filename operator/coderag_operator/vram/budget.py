"""How much of a device may be planned with, and where that number comes from, in words. Explained in docs/vram-plan.md.

Nothing here reads a node: who does gives the numbers. A number of the user is taken as it is; from any other a reserve
is taken off first, for what the driver keeps and for what grows while a server works.
"""

from dataclasses import dataclass

from coderag_operator.vram.wish import Limits

DRIVER_LINUX_MIB = 512  # NVML's total, which the label shows, less what CUDA calls free on an idle Linux node
DRIVER_WSL_MIB = 1100  # the same under WSL2, where Windows keeps more
LABEL = "node's label nvidia.com/gpu.memory"
MARGIN_MIB, MARGIN_SHARE = 256, 0.04  # scratch memory that appears with the first long prompt


@dataclass(frozen=True, slots=True)
class Budget:
    """What the servers may take in MiB, in all and each of them (None: no limit of its own), and why."""

    mib: int
    per_server_mib: int | None
    source: str

    @property
    def limits(self) -> Limits:
        """The same, as the planner takes it."""
        return Limits(self.mib, self.per_server_mib)


def budget_of(
    explicit_mib: int | None,
    free_mib: int | None,
    label_mib: int | None,
    driver_mib: int = DRIVER_LINUX_MIB,
    place: str = LABEL,
) -> Budget | None:
    """Return the budget of the best source there is: the user, a measurement, a node label; None without any."""
    if explicit_mib is not None:
        return explicit(explicit_mib)
    if free_mib is not None:
        return measured(free_mib)
    return None if label_mib is None else labelled(label_mib, driver_mib, place)


def explicit(mib: int) -> Budget:
    """Return the budget that the user gave, as it is."""
    return Budget(mib, None, f"{mib} MiB in spec.gpu.budgetMiB")


def measured(free_mib: int) -> Budget:
    """Return the budget of a device on which so much was free while no model server held any of it."""
    margin = _margin(free_mib)
    return Budget(max(0, free_mib - margin), None, f"{free_mib} MiB measured free, less a margin of {margin}")


def labelled(total_mib: int, driver_mib: int = DRIVER_LINUX_MIB, place: str = LABEL) -> Budget:
    """Return the budget of a device whose size its node tells in this place; `driver_mib` differs between systems."""
    margin = _margin(total_mib - driver_mib)
    words = f"{total_mib} MiB in the {place}, less {driver_mib} for the driver and a margin"
    return Budget(max(0, total_mib - driver_mib - margin), None, f"{words} of {margin}")


def under_mps(whole: Budget, total_mib: int, replicas: int) -> Budget:
    """Return a budget where MPS gives each client the same part of the device; raises ValueError without replicas."""
    if replicas < 1:
        raise ValueError(f"replicas is {replicas}, not at least 1")
    part = min(whole.mib, total_mib // replicas)
    return Budget(whole.mib, part, f"{whole.source}; MPS gives each server {part} MiB (1 of {replicas} parts)")


def under_hami(whole: Budget, limit_mib: int) -> Budget:
    """Return a budget where HAMi holds each pod to so much: its limit nvidia.com/gpumem."""
    part = min(whole.mib, limit_mib)
    return Budget(whole.mib, part, f"{whole.source}; HAMi holds each server to {part} MiB (nvidia.com/gpumem)")


def on_mig(slice_mib: int, slices: int) -> Budget:
    """Return the budget of MIG slices of this size: one that the servers share, or one for each of them."""
    if slices < 1:
        raise ValueError(f"slices is {slices}, not at least 1")
    margin = _margin(slice_mib)
    usable = max(0, slice_mib - margin)
    words = f"a MIG slice of {slice_mib} MiB, less a margin of {margin}"
    if slices == 1:
        return Budget(usable, None, words)
    return Budget(usable * slices, usable, f"{slices} slices, for each server {words}")


def _margin(usable_mib: int) -> int:
    return max(MARGIN_MIB, round(usable_mib * MARGIN_SHARE))
