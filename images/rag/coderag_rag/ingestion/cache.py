"""Vectors that were paid for already, by model identity and hash of the text, in a SQLite file on the worker's volume.

It makes a branch switch, a file that comes back and the unchanged parts of an edited file free. It is a cache: whatever
is wrong with the file, the worker goes on without it, says so in the log, and starts a new one.
"""

import asyncio
import hashlib
import logging
import sqlite3
import threading
from array import array
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from coderag_rag.store.filters import batches

logger = logging.getLogger(__name__)
_TABLE = """CREATE TABLE IF NOT EXISTS vectors (
  model BLOB NOT NULL, text BLOB NOT NULL, vector BLOB NOT NULL, used INTEGER NOT NULL, PRIMARY KEY (model, text)
) WITHOUT ROWID"""
_BY_USE = "CREATE INDEX IF NOT EXISTS by_use ON vectors (used)"
_ASKED_AT_ONCE = 500  # texts; old builds of SQLite take 999 values in a statement
_ROOM = 0.9  # of the limit that is kept when it is reached


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


class EmbeddingCache:
    """Looks up and keeps vectors; least recently used ones go first. A limit of 0 bytes keeps nothing."""

    def __init__(self, path: Path, limit: int) -> None:
        self._path, self._limit = path, limit
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._tick = 0

    async def find(self, model: str, texts: Sequence[str]) -> dict[str, list[float]]:
        """Return the vectors that are known."""
        return await asyncio.to_thread(self._find, bytes.fromhex(model), texts) if self._limit else {}

    async def keep(self, model: str, vectors: Mapping[str, Sequence[float]]) -> None:
        """Remember vectors."""
        if self._limit and vectors:
            await asyncio.to_thread(self._keep, bytes.fromhex(model), vectors)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._database:
                self._database.close()
            self._database = None

    def _find(self, model: bytes, texts: Sequence[str]) -> dict[str, list[float]]:
        with self._lock:
            try:
                return self._looked_up(self._open(), model, {_key(text): text for text in texts})
            except sqlite3.Error as error:
                self._start_anew(error)
                return {}

    def _looked_up(self, database: sqlite3.Connection, model: bytes, texts: dict[bytes, str]) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {}
        for part in batches(list(texts), _ASKED_AT_ONCE):
            chosen = f"model = ? AND text IN ({','.join('?' * len(part))})"
            rows = database.execute(f"SELECT text, vector FROM vectors WHERE {chosen}", (model, *part))  # noqa: S608
            found |= {texts[key]: array("f", vector).tolist() for key, vector in rows}
            with database:
                database.execute(f"UPDATE vectors SET used = ? WHERE {chosen}", (self._tick, model, *part))  # noqa: S608
        self._tick += 1
        return found

    def _keep(self, model: bytes, vectors: Mapping[str, Sequence[float]]) -> None:
        with self._lock:
            try:
                database = self._open()
                rows = [(model, _key(text), array("f", row).tobytes(), self._tick) for text, row in vectors.items()]
                with database:
                    database.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?)", rows)
                self._make_room(database)
            except sqlite3.Error as error:
                self._start_anew(error)

    def _make_room(self, database: sqlite3.Connection) -> None:
        size, free, unit = (
            database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        if (size - free) * unit <= self._limit:
            return
        rows = database.execute("SELECT count(*) FROM vectors").fetchone()[0]
        surplus = rows - int(rows * _ROOM * self._limit / ((size - free) * unit))
        oldest = "SELECT model, text FROM vectors ORDER BY used LIMIT ?"
        with database:
            database.execute(f"DELETE FROM vectors WHERE (model, text) IN ({oldest})", (surplus,))  # noqa: S608

    def _open(self) -> sqlite3.Connection:
        if self._database is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(self._path, check_same_thread=False)
            self._database = database
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            with database:
                database.execute(_TABLE)
                database.execute(_BY_USE)
            self._tick = database.execute("SELECT coalesce(max(used), 0) + 1 FROM vectors").fetchone()[0]
        return self._database

    def _start_anew(self, error: sqlite3.Error) -> None:
        logger.warning("the embedding cache is not usable: starting a new one", extra={"reason": str(error)})
        if self._database:
            with closing(self._database):
                self._database = None
        for ending in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + ending).unlink(missing_ok=True)
