"""An event loop whose time jumps to the next timer: minutes of waiting in no time, and the same on every machine."""

import asyncio
from typing import Any


class SimulatedLoop(asyncio.SelectorEventLoop):
    """Moves its clock instead of sleeping."""

    def __init__(self) -> None:
        super().__init__()
        self._simulated = 0.0

    def time(self) -> float:
        return self._simulated

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:  # type: ignore[attr-defined]
            self._simulated = max(self._simulated, self._scheduled[0].when())  # type: ignore[attr-defined]
        super()._run_once()  # type: ignore[misc]


def simulate(main: Any) -> Any:
    """Run a coroutine to its end in simulated time."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(main)
