"""The queue of syncs: bounded, and with each repository in it at most once."""

import asyncio


class QueueFull(Exception):  # noqa: N818 - reads as the state it names
    """Too many syncs wait already."""


class SyncQueue:
    """Names that wait for a sync. A repository whose sync runs may wait once more, for what changed meanwhile."""

    def __init__(self, size: int) -> None:
        self._queue: asyncio.Queue[str] = asyncio.Queue(size)
        self._waiting: set[str] = set()
        self._running: dict[str, asyncio.Lock] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, name: str) -> bool:
        """Ask for a sync; False when one is waiting already."""
        if name in self._waiting:
            return False
        try:
            self._queue.put_nowait(name)
        except asyncio.QueueFull:
            raise QueueFull(f"{len(self._waiting)} syncs wait already") from None
        self._waiting.add(name)
        return True

    async def get(self) -> str:
        """Wait for the next name."""
        name = await self._queue.get()
        self._waiting.discard(name)
        return name

    def turn(self, name: str) -> asyncio.Lock:
        """Return the lock that lets one sync of a repository run at a time."""
        return self._running.setdefault(name, asyncio.Lock())
