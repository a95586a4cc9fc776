"""The queue of syncs: bounded, each source in it at most once, and one sync of a repository at a time."""

import asyncio

from coderag_rag.ingestion.source import Key


class QueueFull(Exception):  # noqa: N818 - reads as the state it names
    """Too many syncs wait already."""


class SyncQueue:
    """Sources that wait for a sync. One whose sync runs may wait once more, for what changed meanwhile."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._waiting: dict[Key, None] = {}
        self._running: set[str] = set()
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, key: Key) -> bool:
        """Ask for a sync; False when one is waiting already."""
        if key in self._waiting:
            return False
        if len(self._waiting) >= self._size:
            raise QueueFull(f"{len(self._waiting)} syncs wait already")
        self._waiting[key] = None
        self._changed.set()
        return True

    async def get(self) -> Key:
        """Wait for the next source whose repository is at rest; call `done` with it afterwards."""
        while True:
            ready = next((key for key in self._waiting if key.name not in self._running), None)
            if ready:
                del self._waiting[ready]
                self._running.add(ready.name)
                return ready
            self._changed.clear()
            await self._changed.wait()

    def done(self, key: Key) -> None:
        """Say that the sync has ended."""
        self._running.discard(key.name)
        self._changed.set()
