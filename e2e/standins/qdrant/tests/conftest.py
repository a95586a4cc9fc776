"""The server under test: any Qdrant by URL (QDRANT_CONTRACT_URL and its keys), else the stand-in on a free port."""

import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from qdrant_client import QdrantClient, models

from e2e.standins.qdrant.run import start

FULL = "full-key-" + "f" * 32
READ_ONLY = "read-key-" + "r" * 32
VECTORS = {"dense": models.VectorParams(size=4, distance=models.Distance.COSINE)}
SPARSE = {"keyword": models.SparseVectorParams(modifier=models.Modifier.IDF)}


@dataclass(frozen=True)
class Server:
    """Where the server is and which keys it takes."""

    url: str
    full: str
    read_only: str

    def client(self, key: str | None = None) -> QdrantClient:
        """Return a client; the key goes in as a header, because the client warns of keys over plain HTTP."""
        return QdrantClient(url=self.url, headers={"api-key": key or self.full}, prefer_grpc=False, timeout=60)

    def http(self, **headers: str) -> httpx.Client:
        """Return a bare HTTP client with exactly these headers."""
        return httpx.Client(base_url=self.url, headers=headers, timeout=60)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server that every contract test talks to."""
    if url := os.environ.get("QDRANT_CONTRACT_URL"):
        yield Server(url, os.environ["QDRANT_CONTRACT_API_KEY"], os.environ["QDRANT_CONTRACT_READ_ONLY_API_KEY"])
        return
    with start(Path(tmp_path_factory.mktemp("qdrant")), FULL, READ_ONLY) as url:
        yield Server(url, FULL, READ_ONLY)


@pytest.fixture(scope="session")
def client(server: Server) -> Iterator[QdrantClient]:
    """A client with the full key."""
    client = server.client()
    yield client
    client.close()


@pytest.fixture(scope="session")
def make_collection(client: QdrantClient) -> Iterator[Callable[[], str]]:
    """Makes collections of this project's shape and removes them at the end."""
    made: list[str] = []

    def make() -> str:
        name = f"contract-{uuid.uuid4().hex[:12]}"
        client.create_collection(name, vectors_config=VECTORS, sparse_vectors_config=SPARSE)
        made.append(name)
        return name

    yield make
    for name in made:
        client.delete_collection(name)


@pytest.fixture(scope="module")
def collection(make_collection: Callable[[], str]) -> str:
    """One collection for the tests of a module; each test uses point ids of its own."""
    return make_collection()
