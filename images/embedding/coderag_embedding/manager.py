"""The one shared model: loaded once however many ask, replaced without a gap, and honest about its state."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from coderag_embedding.model import Model

log = logging.getLogger(__name__)
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0


@dataclass(frozen=True)
class Status:
    """What GET /model/status answers: exactly these."""

    is_loaded: bool
    model_name: str
    load_time: float | None
    memory_usage: float
    device: str
    error_message: str | None


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
    ) -> None:
        self.name = name
        self.model: Model | None = None
        self.error: str | None = None
        self.load_seconds: float | None = None
        self._device = device
        self._loader = loader
        self._wait = wait
        self._loading: asyncio.Task[Model] | None = None

    async def load(self) -> Model:
        """Load or reload. Callers that come while a load runs share it; a failed reload keeps the model that serves."""
        if self._loading is None:
            self._loading = asyncio.create_task(self._load())
            self._loading.add_done_callback(self._loaded)
        return await asyncio.shield(self._loading)

    async def load_until_ready(self) -> None:
        """Try until a model serves, waiting longer each time: a volume may come late, a person may repair it."""
        wait = FIRST_WAIT
        while self.model is None:
            try:
                await self.load()
            except LoadFailedError as error:
                log.error("Model not loaded", extra={"reason": str(error), "retry_in_seconds": wait})
                await self._wait(wait)
                wait = min(2 * wait, LONGEST_WAIT)

    def status(self) -> Status:
        """Return the state in six fields."""
        return Status(
            is_loaded=self.model is not None,
            model_name=self.name,
            load_time=self.load_seconds,
            memory_usage=round(resident_megabytes(), 1) if self.model else 0.0,
            device=self._device,
            error_message=self.error,
        )

    async def _load(self) -> Model:
        started = time.perf_counter()
        try:
            model = await asyncio.to_thread(self._loader)
        except Exception as error:  # whatever a broken file makes a library raise is a reason to report, not to die
            self.error = f"{type(error).__name__}: {error}"
            raise LoadFailedError(self.error) from error
        self.model, self.error = model, None
        self.load_seconds = round(time.perf_counter() - started, 3)
        log.info("Model loaded", extra={"revision": model.manifest.revision, "seconds": self.load_seconds})
        return model

    def _loaded(self, task: asyncio.Task[Model]) -> None:
        self._loading = None
        if not task.cancelled():
            task.exception()  # every waiter may have gone; the reason is in the status


def resident_megabytes(statm: Path = Path("/proc/self/statm")) -> float:
    """Return the memory that this process, and so its model, holds."""
    pages = int(statm.read_text().split()[1])
    return pages * 4096 / 1024**2
