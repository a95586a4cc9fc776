"""How the process ends: not ready at once, closed to new requests a little later, gone when the last answer is out.

Between SIGTERM and the moment when nobody sends requests to a pod any more lie a few seconds in which the address is
taken out of the Service. LiteLLM's own /health/drain also fails the liveness probe and needs a token; this needs none.
"""

import signal
import time
from types import FrameType

import uvicorn


class Drain:
    """Whether the end has begun, and whether new requests are still taken."""

    def __init__(self, delay: float) -> None:
        """Take how long new requests are served after the end has begun."""
        self._delay = delay
        self._began: float | None = None

    def begin(self) -> None:
        """Begin; a second time changes nothing."""
        self._began = self._began if self.active else time.monotonic()

    @property
    def active(self) -> bool:
        """Whether the end has begun."""
        return self._began is not None

    @property
    def closing(self) -> bool:
        """Whether new requests are to be refused."""
        return self._began is not None and time.monotonic() - self._began >= self._delay


class DrainingServer(uvicorn.Server):
    """A server that goes on listening for a while after SIGTERM."""

    def __init__(self, config: uvicorn.Config, drain: Drain) -> None:
        """Take the drain that the application looks at too."""
        super().__init__(config)
        self._drain = drain

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain on the first SIGTERM; anything else ends at once, as it always did."""
        if sig == signal.SIGTERM and not self._drain.active:
            self._drain.begin()
        else:
            super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Tell, ten times a second, whether to stop listening; requests in flight are then waited for."""
        return await super().on_tick(counter) or self._drain.closing
