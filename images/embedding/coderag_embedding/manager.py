"""The one shared model: loaded once however many ask, replaced without a gap, and honest about its state.

When the configured model cannot be loaded, a second one may serve in its place: under its own name and revision, never
under the first one's, because vectors of two models must not meet in one index. The first is tried again meanwhile.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from coderag_embedding.model import Model

log = logging.getLogger(__name__)
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0


@dataclass(frozen=True)
class Status:
    """What GET /model/status answers: exactly these. Seconds, MB; the revision is that of the model that serves."""

    is_loaded: bool
    model_name: str
    load_time: float | None
    memory_usage: float
    device: str
    error_message: str | None
    revision: str | None


class LoadFailedError(Exception):
    """The model could not be loaded; the message is the reason."""


class ModelManager:
    """Holds the model. Lives on the event loop; the loading itself runs in a thread."""

    def __init__(
        self,
        name: str,
        device: str,
        loader: Callable[[], Model],
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
        *,
        fallback: Callable[[], Model] | None = None,
        lazy: bool = False,
        helpers: Callable[[], Sequence[int]] = tuple,
    ) -> None:
        self.name = name
        self.fell_back = False
        self.model: Model | None = None
        self.error: str | None = None
        self.load_seconds: float | None = None
        self._device = device
        self._loader = loader
        self._wait = wait
        self._fallback = fallback
        self._lazy = lazy
        self._helpers = helpers  # processes that hold the model too
        self._keeper: asyncio.Task[None] | None = None
        self._loading: asyncio.Task[Model] | None = None

    def start(self) -> None:
        """Begin to load in the background, unless that waits for the first request."""
        if not self._lazy:
            self._keep_trying()

    async def stop(self) -> None:
        """End the background work."""
        if self._keeper:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)

    @property
    def idle(self) -> bool:
        """Tell whether a lazy model still waits to be asked for: ready, though not loaded."""
        return self._lazy and self._keeper is None and self.model is None and self.error is None

    async def demand(self) -> Model | None:
        """Return the model, loading it if nobody has asked before; None when there is none, the reason is `error`."""
        if self._lazy and self.model is None and self.error is None:
            if self.idle:
                self._keep_trying()
            with contextlib.suppress(LoadFailedError):
                await self.load()
        return self.model

    async def load(self) -> Model:
        """Load or reload. Callers that come while a load runs share it; a failed reload keeps the model that serves."""
        if self._loading is None:
            self._loading = asyncio.create_task(self._load())
            self._loading.add_done_callback(self._loaded)
        return await asyncio.shield(self._loading)

    async def load_until_ready(self) -> None:
        """Try until the configured model serves, waiting longer each time: a volume may come late or be repaired."""
        wait = FIRST_WAIT
        while self.model is None or self.fell_back:
            try:
                await self.load()
            except LoadFailedError as error:
                log.error("Model not loaded", extra={"reason": str(error), "retry_in_seconds": wait})
                await self._wait(wait)
                wait = min(2 * wait, LONGEST_WAIT)

    def status(self) -> Status:
        """Return the state."""
        return Status(
            is_loaded=self.model is not None,
            model_name=self.model.manifest.name if self.model else self.name,
            load_time=self.load_seconds,
            memory_usage=round(self._memory(), 1) if self.model else 0.0,
            device=self._device,
            error_message=self.error,
            revision=self.model.manifest.revision if self.model else None,
        )

    def _memory(self) -> float:
        return resident_megabytes() + sum(map(resident_megabytes, self._helpers()))

    def _keep_trying(self) -> None:
        self._keeper = asyncio.create_task(self.load_until_ready())

    async def _load(self) -> Model:
        try:
            model = await self._read(self._loader)
        except Exception as error:  # whatever a broken file makes a library raise is a reason to report, not to die
            self.error = f"{type(error).__name__}: {error}"
            await self._fall_back()
            raise LoadFailedError(self.error) from error
        self.error, self.fell_back = None, False
        return model

    async def _fall_back(self) -> None:
        """Let the second model serve, unless one serves already, and say so each time the first one fails."""
        if self._fallback is not None and self.model is None:
            try:
                await self._read(self._fallback)
            except Exception as error:
                self.error = f"{self.error}; the fallback failed too: {type(error).__name__}: {error}"
            else:
                self.fell_back = True
        if self.fell_back and self.model is not None:
            self.error = f"{self.error}; {self.model.manifest.name} serves in its place"

    async def _read(self, loader: Callable[[], Model]) -> Model:
        started = time.perf_counter()
        model = await asyncio.to_thread(loader)
        self.model, self.load_seconds = model, round(time.perf_counter() - started, 3)
        manifest = model.manifest
        extra = {"model": manifest.name, "revision": manifest.revision, "seconds": self.load_seconds}
        log.info("Model loaded", extra=extra)
        return model

    def _loaded(self, task: asyncio.Task[Model]) -> None:
        self._loading = None
        if not task.cancelled():
            task.exception()  # every waiter may have gone; the reason is in the status


def resident_megabytes(pid: int | str = "self", proc: Path = Path("/proc")) -> float:
    """Return the memory that a process, and so its model, holds; 0 for one that has ended."""
    try:
        pages = int((proc / str(pid) / "statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * 4096 / 1024**2
