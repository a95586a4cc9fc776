"""An index in memory, scripted neighbours, and the service over both."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from coderag_rag.api.app import build_app
from coderag_rag.api.services import Clients
from coderag_rag.api.settings import ApiSettings
from coderag_rag.env import Environment
from coderag_rag.identity import EmbeddingModel, index_identity
from coderag_rag.keyword import document_vector
from coderag_rag.store.schema import (
    ALIAS,
    ChunkPayload,
    HeadPayload,
    PagePayload,
    chunk_id,
    collection_name,
    head_id,
    page_id,
    text_sha256,
)
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from qdrant_client import models
from qdrant_client.local.async_qdrant_local import AsyncQdrantLocal

# Examples are cheap; a shared machine is not always quick.
hypothesis_settings.register_profile("shared-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("shared-machine")

DIMENSIONS = 8
MODEL = EmbeddingModel("tiny", "r1", DIMENSIONS, 256, "mean", "fp32", "", "")
IDENTITY = index_identity(MODEL)
Server = Callable[[httpx.Request], httpx.Response]


def vector_of(text: str) -> list[float]:
    """A vector that says which letters a text has: near enough to meaning for a test."""
    counts = [1.0] * DIMENSIONS
    for character in text.lower():
        counts[ord(character) % DIMENSIONS] += 1.0
    length = sum(value * value for value in counts) ** 0.5
    return [value / length for value in counts]


@dataclass(frozen=True)
class File:
    """A file of one chunk."""

    path: str
    text: str
    symbols: tuple[str, ...] = ()
    language: str = "python"
    start_line: int = 1
    within: str = ""

    @property
    def blob(self) -> str:
        return text_sha256(self.text)[:40]

    @property
    def end_line(self) -> int:
        return self.start_line + self.text.rstrip("\n").count("\n")


@dataclass
class Index:
    """Writes points as ingestion does, in the order it does."""

    client: AsyncQdrantLocal
    identity: str = IDENTITY
    generations: dict[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return collection_name(self.identity)

    async def create(self) -> None:
        await self.client.create_collection(
            self.name,
            vectors_config={"dense": models.VectorParams(size=DIMENSIONS, distance=models.Distance.COSINE)},
            sparse_vectors_config={"keyword": models.SparseVectorParams(modifier=models.Modifier.IDF)},
        )

    async def go_live(self) -> None:
        """Point the alias at this index."""
        alias = models.CreateAlias(collection_name=self.name, alias_name=ALIAS)
        await self.client.update_collection_aliases([models.CreateAliasOperation(create_alias=alias)])

    async def add_chunks(self, repository: str, files: Iterable[File], sha256: str | None = None) -> None:
        points = []
        for file in files:
            digest = sha256 or text_sha256(file.text)
            payload = ChunkPayload(
                file.blob,
                file.start_line,
                file.end_line,
                file.text,
                digest,
                list(file.symbols),
                file.language,
                [repository],
                file.within,
            )
            vectors = {
                "dense": vector_of(file.text),
                "keyword": document_vector(file.text, file.symbols, [file.path], file.within),
            }
            point = chunk_id(self.identity, file.blob, file.start_line, file.end_line)
            points.append(models.PointStruct(id=point, vector=vectors, payload=payload.to_payload()))
        if points:
            await self.client.upsert(self.name, points)

    async def add_pages(self, repository: str, files: Iterable[File], generation: int, ref: str = "main") -> int:
        entries = [[file.path, file.blob, file.language] for file in files]
        pages = [entries[start : start + 2] for start in range(0, len(entries), 2)]
        for n, page in enumerate(pages):
            payload = PagePayload(repository, ref, generation, n, page).to_payload()
            point = models.PointStruct(id=page_id(repository, ref, generation, n), vector={}, payload=payload)
            await self.client.upsert(self.name, [point])
        return len(pages)

    async def add_head(self, repository: str, generation: int, pages: int, files: int, ref: str = "main") -> None:
        payload = HeadPayload(
            repository, ref, f"{generation:040x}", generation, generation, pages, files, files, "2026-01-01T00:00:00Z",
            self.identity, [],
        ).to_payload()  # fmt: skip
        await self.client.upsert(
            self.name, [models.PointStruct(id=head_id(repository, ref), vector={}, payload=payload)]
        )

    async def serve(self, repository: str, *files: File) -> None:
        """Make these files the served state of a repository."""
        generation = self.generations[repository] = self.generations.get(repository, 0) + 1
        await self.add_chunks(repository, files)
        pages = await self.add_pages(repository, files, generation)
        await self.add_head(repository, generation, pages, len(files))


class LocalQdrant(AsyncQdrantLocal):
    """Qdrant's local mode, without the client around it: that one builds a parser for inference each time, in 9 ms."""

    def __init__(self) -> None:
        super().__init__(":memory:")


@pytest.fixture
def make_qdrant() -> type[LocalQdrant]:
    return LocalQdrant


@pytest.fixture
async def qdrant(make_qdrant: type[LocalQdrant]) -> AsyncIterator[LocalQdrant]:
    client = make_qdrant()
    yield client
    await client.close()


@pytest.fixture
async def index(qdrant: AsyncQdrantLocal) -> Index:
    made = Index(qdrant)
    await made.create()
    await made.go_live()
    return made


@dataclass
class Embedding:
    """The embedding service, scripted."""

    down: bool = False
    revision: str = "r1"
    multilingual: bool | None = None
    queries: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("refused")
        if request.url.path == "/v1/models":
            row = {
                "id": "tiny", "revision": self.revision, "dimensions": DIMENSIONS, "max_tokens": 256, "pooling": "mean",
                "precision": "fp32", "query_prompt": "", "passage_prompt": "", "multilingual": self.multilingual,
            }  # fmt: skip
            return httpx.Response(200, json={"object": "list", "data": [row]})
        body = json.loads(request.content)
        self.queries.append(body)
        rows = [{"index": n, "embedding": vector_of(text)} for n, text in enumerate(body["input"])]
        return httpx.Response(200, json={"data": rows})


class Talking(httpx.AsyncByteStream):
    """A model's answer that says one piece and then goes on for ever, until somebody closes it."""

    def __init__(self, first: str = "first ", *, silent: bool = False) -> None:
        self._first, self._silent = first, silent
        self.started, self.closed = asyncio.Event(), asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunk = json.dumps({"choices": [{"delta": {"content": self._first}}]}).encode()
        while not self.closed.is_set():
            yield b"data: " + chunk + b"\n\n"
            self.started.set()
            await (asyncio.Event().wait() if self._silent else asyncio.sleep(0.001))

    async def aclose(self) -> None:
        self.closed.set()


@dataclass
class Gateway:
    """The gateway, scripted: says `pieces`, or answers `status`, or breaks; `speechless` times nothing first."""

    pieces: list[str] = field(default_factory=lambda: ["It is ", "here [1]", "."])
    status: int = 200
    error: str = "down"
    down: bool = False
    tail: list[Any] | None = None
    too_long: int = 0
    speechless: int = 0
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=lambda: {"x-litellm-model-id": "code-1"})
    stream: Talking | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("refused")
        if request.method == "GET":
            return httpx.Response(200 if self.status < 500 else self.status)
        self.requests.append(json.loads(request.content))
        if self.too_long:
            self.too_long -= 1
            return httpx.Response(400, json={"error": {"message": "request exceeds the available context size"}})
        if self.status != 200:
            return httpx.Response(self.status, json={"error": {"message": self.error}}, headers=self.headers)
        if self.speechless:
            self.speechless -= 1
            return httpx.Response(200, text=self.events([]), headers=self.headers)
        if self.stream:
            return httpx.Response(200, stream=self.stream, headers=self.headers)
        return httpx.Response(200, text=self.events(self.pieces), headers=self.headers)

    def events(self, pieces: list[str]) -> str:
        chunks: list[Any] = [{"choices": [{"delta": {"content": piece}}]} for piece in pieces]
        usage = {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}
        tail = [{"choices": [{"delta": {}, "finish_reason": "stop"}]}, {"choices": [], "usage": usage}]
        chunks += tail if self.tail is None else self.tail
        return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"


@pytest.fixture
def embedding() -> Embedding:
    return Embedding()


@pytest.fixture
def talking() -> Talking:
    return Talking()


@pytest.fixture
def silent() -> Talking:
    return Talking(silent=True)


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


REQUIRED = {
    "QDRANT_URL": "http://qdrant:6333",
    "EMBEDDING_URL": "http://embedding:8003",
    "GATEWAY_URL": "http://gateway:8000",
    "GATEWAY_API_KEY": "gateway-key",
    "RAG_API_KEYS": "user-key, gateway-calls-us",
}
WITHOUT_WAITING = {
    "INFERENCE_CHAT_URL": "http://chat:8001",
    "MANIFEST_POLL_INTERVAL": "0.05",
    "QDRANT_RETRY_MIN_WAIT": "0",
    "QDRANT_RETRY_MAX_WAIT": "0",
}


@pytest.fixture
def usual() -> dict[str, str]:
    """The variables that a folder's tests set beside those that must be there."""
    return WITHOUT_WAITING


@pytest.fixture
def environment(request: pytest.FixtureRequest, usual: dict[str, str]) -> dict[str, str]:
    """The variables of a good start, changed by the test's own through indirect parameters."""
    return REQUIRED | usual | getattr(request, "param", {})


@pytest.fixture
def settings(environment: dict[str, str]) -> ApiSettings:
    return ApiSettings.read(Environment(environment))


@pytest.fixture
def servers(embedding: Embedding, gateway: Gateway) -> dict[str, Server]:
    """Every HTTP server of the stack by host name; the model servers are those that the gateway asks."""
    return {"embedding": embedding, "gateway": gateway, "code": gateway, "chat": gateway}


@pytest.fixture
def network(servers: dict[str, Server]) -> Server:
    return lambda request: servers[request.url.host](request)


@pytest.fixture
def clients(settings: ApiSettings, qdrant: AsyncQdrantLocal, network: Any) -> Clients:
    return Clients.connect(settings, qdrant, httpx.MockTransport(network))


@pytest.fixture
async def service(settings: ApiSettings, clients: Clients) -> AsyncIterator[Any]:
    """The services of an application, every dependency looked at once, and a client with a key."""
    app = build_app(settings, clients)
    services = app.state.services
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"authorization": "Bearer user-key"}
    async with httpx.AsyncClient(transport=transport, base_url="http://rag", headers=headers) as http:
        services.http = http
        services.app = app
        yield services
    await clients.aclose()


@pytest.fixture
def look(service: Any) -> Callable[[], Any]:
    async def look_at_everything() -> None:
        for watch in service.health.watches:
            await watch.look()
        await service.warm_up.look()

    return look_at_everything


@pytest.fixture
def make_file() -> type[File]:
    return File


@pytest.fixture
def make_index() -> type[Index]:
    return Index


QUEUE = File(
    "operator/engine/workqueue.py",
    """class WorkQueue:
    def retry(self, key):
        delay = self.backoff(key)
        self.add_after(key, delay)
""",
    ("WorkQueue", "retry", "WorkQueue.retry"),
)
TEST_QUEUE = File(
    "operator/tests/test_workqueue.py",
    """def test_retry_waits_longer_each_time(queue):
    queue.retry("a")
    assert queue.delay > 1
""",
    ("test_retry_waits_longer_each_time",),
)
PLAN = File(
    "operator/plan.py",
    """def plan(desired, observed):
    return apply_or_prune(desired, observed)
""",
    ("plan",),
)
GUIDE = File(
    "docs/queue.md",
    """# The work queue
Keys that fail are retried with exponential backoff.
""",
    (),
    "markdown",
)


@pytest.fixture
def corpus() -> dict[str, File]:
    return {"queue": QUEUE, "test": TEST_QUEUE, "plan": PLAN, "guide": GUIDE}


@pytest.fixture
async def served(index: Index, corpus: dict[str, File], look: Any) -> Index:
    """A served repository, seen by the service."""
    await index.serve("app", *corpus.values())
    await look()
    return index
