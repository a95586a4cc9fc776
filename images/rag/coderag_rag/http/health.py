"""Liveness, readiness and the dependency report.

Readiness becomes true with the first successful start and then stays local: a blip of Qdrant must not take every pod
out of its Service. What the dependencies do is told by /health, which is for people and monitors and always 200.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter

from coderag_rag.http.errors import ApiError

Check = Callable[[], Awaitable[object]]
_CHECK_SECONDS = 3.0


class Health:
    """The state behind the three routes; call `mark_ready` after the first successful start."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}
        self._waiting_for = "the service is starting"
        self._ready = False

    @property
    def ready(self) -> bool:
        """Whether the service started successfully once."""
        return self._ready

    def add_check(self, name: str, check: Check) -> None:
        """Report a dependency: the check raises when the dependency is not usable."""
        self._checks[name] = check

    def waiting_for(self, what: str) -> None:
        """Say in /readyz why the start is not complete."""
        self._waiting_for = what

    def mark_ready(self) -> None:
        """Turn /readyz green, for the life of the process."""
        self._ready = True

    async def report(self) -> dict[str, Any]:
        """Ask every dependency at the same time."""
        results = await asyncio.gather(*(_ask(check) for check in self._checks.values()))
        dependencies = dict(zip(self._checks, results, strict=True))
        status = "ok" if all(result["ok"] for result in results) else "degraded"
        return {"status": status, "dependencies": dependencies}

    def router(self) -> APIRouter:
        """Return the routes /healthz, /readyz and /health."""
        router = APIRouter(tags=["health"])

        @router.get("/healthz")
        async def healthz() -> dict[str, str]:
            return {"status": "ok"}

        @router.get("/readyz")
        async def readyz() -> dict[str, str]:
            self._require_ready()
            return {"status": "ready"}

        @router.get("/health")
        async def health() -> dict[str, Any]:
            self._require_ready()
            return await self.report()

        return router

    def _require_ready(self) -> None:
        if not self._ready:
            raise ApiError(503, self._waiting_for, code="not_ready", hint="wait; the log says what is missing")


async def _ask(check: Check) -> dict[str, Any]:
    begin = time.monotonic()
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            await check()
    except TimeoutError:
        return {"ok": False, "latency_ms": None, "detail": f"no answer in {_CHECK_SECONDS:g} s"}
    except Exception as error:  # whatever a client raises is the answer to "is it usable?"
        return {"ok": False, "latency_ms": None, "detail": f"{type(error).__name__}: {error}"[:200]}
    return {"ok": True, "latency_ms": round((time.monotonic() - begin) * 1000, 1), "detail": "answers"}
