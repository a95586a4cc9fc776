"""One collection's engine and the loop of the process that holds it.

The engine keeps Python's interpreter lock while it optimizes, so it lives in a process of its own: the HTTP server
goes on answering, and requests to one collection are served one after the other, which makes every update atomic.
"""

import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import qdrant_edge as edge
from pydantic_core import from_json, to_json

from e2e.standins.qdrant.errors import QdrantError, from_engine, not_found
from e2e.standins.qdrant.filters import build_filter
from e2e.standins.qdrant.points import build_payload_selector, read_hit, read_id, read_record, read_vector
from e2e.standins.qdrant.queries import build_order, build_request
from e2e.standins.qdrant.settings import build_config, build_index
from e2e.standins.qdrant.updates import build_update

Json = dict[str, Any]
IDLE_SECONDS = 1.0  # a second without requests: a good moment to write to disk
LOCK_SECONDS = 15.0  # how long a killed server's engine may take to let go of the files


class Engine:
    """Public methods are what the HTTP side may call; all take and give JSON.

    What a search reads is given as bytes: two hundred points would else be packed and unpacked on their way to the HTTP
    side only to be written as JSON there.
    """

    def __init__(self, folder: Path, settings: Json) -> None:
        """Open the collection's files, or make them."""
        self._shard = open_shard(folder, settings)
        self._dirty = False

    def update(self, operations: list[tuple[str, Any]]) -> None:
        """Apply named changes in order."""
        self._dirty = True
        for name, body in operations:
            self._shard.update(build_update(name, body))

    def create_index(self, field: str, schema: Any) -> None:
        """Index a payload field."""
        self._shard.update(edge.UpdateOperation.create_field_index(field, build_index(schema)))

    def delete_index(self, field: str) -> None:
        """Drop the index of a payload field."""
        self._shard.update(edge.UpdateOperation.delete_field_index(field))

    def retrieve(self, ids: list[Any], with_payload: Any, with_vector: Any) -> list[Json]:
        """Return stored points by id; unknown ids are left out."""
        found = self._shard.retrieve(ids, build_payload_selector(with_payload), with_vector)
        return [read_record(record) for record in found]

    def retrieve_bytes(self, body: Json) -> bytes:
        """Return stored points as bytes, with all of their payload unless something else is asked for."""
        payload, vector = body.get("with_payload"), body.get("with_vector") or False
        return to_json(self.retrieve(body["ids"], True if payload is None else payload, vector))

    def retrieve_raw(self, raw: bytes) -> bytes | None:
        """Return the same from an unchecked body; None where it cannot be read as it came."""
        return from_raw(self.retrieve_bytes, raw)

    def scroll(self, body: Json) -> Json:
        """Return a page of points and where the next one begins."""
        limit = body.get("limit") or 10
        payload = body.get("with_payload")
        records, following = self._shard.scroll(
            edge.ScrollRequest(
                offset=body.get("offset"),
                limit=limit,
                filter=build_filter(body.get("filter")),
                with_payload=build_payload_selector(True if payload is None else payload),
                with_vector=body.get("with_vector") or False,
                order_by=build_order(body.get("order_by")),
            )
        )
        return {"points": [read_record(record) for record in records], "next_page_offset": read_id(following)}

    def count(self, body: Json) -> Json:
        """Count points; always exactly, the engine is small."""
        return {"count": self._shard.count(edge.CountRequest(exact=True, filter=build_filter(body.get("filter"))))}

    def facet(self, body: Json) -> Json:
        """Count the values of an indexed payload field."""
        request = edge.FacetRequest(body["key"], body.get("limit") or 10, True, build_filter(body.get("filter")))
        return {"hits": [{"value": hit.value, "count": hit.count} for hit in self._shard.facet(request)]}

    def query_bytes(self, body: Json) -> bytes:
        """Run one query."""
        return to_json(self._query([body])[0])

    def query_batch_bytes(self, body: Json) -> bytes:
        """Run queries as one batch."""
        return to_json(self._query(body["searches"]))

    def query_batch_raw(self, raw: bytes) -> bytes | None:
        """Run queries of an unchecked body; None where it cannot be read as it came."""
        return from_raw(self.query_batch_bytes, raw)

    def _query(self, bodies: list[Json]) -> list[Json]:
        requests = [build_request(body, self._find_vector) for body in bodies]
        answers = self._shard.query_batch(edge.QueryBatchRequest(requests))
        return [{"points": [read_hit(hit) for hit in hits]} for hits in answers]

    def info(self) -> Json:
        """Return the engine's own counts and its payload indexes."""
        info = self._shard.info()
        names = ("segments_count", "points_count", "indexed_vectors_count")
        schema = {
            field: {"data_type": str(index.data_type).rpartition(".")[2].lower(), "points": index.points}
            for field, index in info.payload_schema.items()
        }
        return {"counts": {name: getattr(info, name) for name in names}, "schema": schema}

    def flush(self) -> None:
        """Write what is only in the log to its place."""
        if self._dirty:
            self._shard.flush()
            self._dirty = False

    def close(self) -> None:
        """Flush and let go of the files."""
        self._shard.flush()
        self._shard.close()

    def _find_vector(self, point: Any, using: str | None) -> Any:
        records = self._shard.retrieve([point], False, [using] if using else True)
        if not records:
            raise not_found(f"No point with id {point} found")
        vector = read_vector(records[0].vector)
        if isinstance(vector, dict) and (using or "") not in vector:
            raise not_found(f"No vector with name {using or ''} found for point {point}")
        return vector[using or ""] if isinstance(vector, dict) else vector


def from_raw(method: Callable[[Json], bytes], raw: bytes) -> bytes | None:
    """Return what a method makes of an unchecked body, or None: the caller checks it then and finds the words."""
    try:
        return method(from_json(raw))
    except Exception:  # whatever is wrong with it, the checked body will show
        return None


def open_shard(folder: Path, settings: Json) -> edge.EdgeShard:
    """Open or make the shard, waiting for the engine of a server that was killed a moment ago."""
    if not (folder / "edge_config.json").exists():
        return edge.EdgeShard.create(str(folder), build_config(settings))
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            shard = edge.EdgeShard.load(str(folder))
        except Exception as error:  # the engine has no finer type
            if "WouldBlock" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            shard.optimize()
            return shard


def run(connection: Connection, folder: Path, settings: Json) -> None:
    """Serve calls until the other end is gone, which is also how a killed server ends its engines."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the server decides when the engine ends
    try:
        engine = Engine(folder, settings)
    except Exception as error:
        connection.send((False, QdrantError(500, f"Service internal error: cannot open {folder.name}: {error}")))
        return
    connection.send((True, None))
    try:
        serve(connection, engine)
    except (EOFError, ConnectionError):
        engine.close()


def serve(connection: Connection, engine: Engine) -> None:
    """Answer one call after the other."""
    while True:
        if not connection.poll(IDLE_SECONDS):
            engine.flush()
            continue
        method, arguments = connection.recv()
        connection.send(answer(getattr(engine, method), arguments))


def answer(method: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[bool, Any]:
    """Return whether it worked and the result or the error."""
    try:
        return True, method(*arguments)
    except QdrantError as error:
        return False, error
    except Exception as error:  # the engine has no finer type
        return False, from_engine(error)
