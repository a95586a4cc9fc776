"""What the tests of the index half share: an in-memory Qdrant that can fail, a fake embedding service, Git remotes."""

import asyncio
import hashlib
import json
import re
import subprocess
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from coderag_rag.chunking.__main__ import answer
from coderag_rag.chunking.document import Document
from coderag_rag.clients.embedding import EmbeddingClient
from coderag_rag.git.command import Git, base_environment
from coderag_rag.git.repository import Repository
from coderag_rag.http.app import create_app
from coderag_rag.http.health import Health
from coderag_rag.identity import model_identity
from coderag_rag.ingestion.api import build_router
from coderag_rag.ingestion.cache import EmbeddingCache
from coderag_rag.ingestion.dry_run import DryRun
from coderag_rag.ingestion.embedder import Embedder
from coderag_rag.ingestion.gate import Verdict
from coderag_rag.ingestion.index import Index, IndexOpener
from coderag_rag.ingestion.metrics import SyncMetrics
from coderag_rag.ingestion.promotion import Promotion
from coderag_rag.ingestion.repositories import RepositoryConfig
from coderag_rag.ingestion.source import Key, Source
from coderag_rag.ingestion.sync import apply_commit
from coderag_rag.ingestion.synchroniser import Synchroniser
from coderag_rag.ingestion.tools import Tools
from coderag_rag.ingestion.wanted import EVERYTHING, Wanted
from coderag_rag.ingestion.webhooks import PREFIX, Beside, build_webhooks
from coderag_rag.ingestion.worker import Worker
from coderag_rag.retry import RetryPolicy
from coderag_rag.store.calls import Calls
from coderag_rag.store.lease import Leases
from coderag_rag.store.manifest import read_head, read_served
from coderag_rag.store.schema import CHUNK, HeadPayload
from prometheus_client import CollectorRegistry
from qdrant_client.local.async_qdrant_local import AsyncQdrantLocal

NOW = datetime(2026, 11, 21, 12, 1, tzinfo=UTC)
ONE_TRY = RetryPolicy(1, 0, 0)
WRITES = {"upsert", "delete", "set_payload", "update_vectors", "create_collection", "update_collection_aliases"}


class Killed(BaseException):
    """The process ends here: nothing that catches Exception survives it."""


class MemoryQdrant:
    """Qdrant's own local mode, with every write listed and a chosen one never done."""

    def __init__(self) -> None:
        self.client = AsyncQdrantLocal(":memory:")
        self.writes: list[str] = []
        self.reads: list[str] = []
        self.payload_indexes: list[str] = []
        self.kill_at: int | None = None
        self.before_write: Callable[[str], None] | None = None

    async def create_payload_index(self, _collection: str, field_name: str, **_options: Any) -> None:
        """Local mode warns that indexes do nothing there."""
        self.payload_indexes.append(field_name)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.client, name)
        if name not in WRITES:
            self.reads.append(name)
            return method

        async def write(*arguments: Any, **options: Any) -> Any:
            if self.kill_at is not None and len(self.writes) >= self.kill_at:
                raise Killed(name)
            if self.before_write:
                self.before_write(name)
            self.writes.append(name)
            return await method(*arguments, **options)

        return write


@dataclass
class FakeEmbedding:
    """An embedding service whose vectors count the words of a text: texts that share words are near each other."""

    model: str = "fake"
    dimensions: int = 32
    blind: bool = False
    texts: list[str] = field(default_factory=list)
    refuse: httpx.Response | None = None

    def handle(self, request: httpx.Request) -> httpx.Response:
        if self.refuse is not None:
            return self.refuse
        if request.url.path == "/v1/models":
            row = {"id": self.model, "revision": "1", "dimensions": self.dimensions, "max_tokens": 256}
            row |= {"pooling": "mean", "precision": "fp32", "query_prompt": "", "passage_prompt": None}
            return httpx.Response(200, json={"data": [row]})
        if request.url.path == "/healthz":
            return httpx.Response(200, text="ok")
        texts = json.loads(request.content)["input"]
        self.texts.extend(texts)
        rows = [{"index": n, "embedding": self.vector(text)} for n, text in enumerate(texts)]
        return httpx.Response(200, json={"data": rows[::-1], "truncated": []})

    def vector(self, text: str) -> list[float]:
        counts = [0.01] * self.dimensions
        for word in re.findall(r"\w+", text.lower()):
            place = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big")
            counts[0 if self.blind else place % self.dimensions] += 1
        return counts

    def client(self) -> EmbeddingClient:
        return EmbeddingClient("http://embedding", "key", transport=httpx.MockTransport(self.handle))


class Remote:
    """A Git repository that tests push to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "user.email", "test@example.com")
        self.git("config", "user.name", "Test")
        self.git("config", "uploadpack.allowAnySHA1InWant", "true")

    @property
    def url(self) -> str:
        return f"file://{self.path}"

    def git(self, *arguments: str) -> str:
        run = subprocess.run(["git", *arguments], cwd=self.path, check=True, capture_output=True, text=True)
        return run.stdout.strip()

    def commit(self, files: dict[str, str | bytes | None], subject: str = "change") -> str:
        for name, content in files.items():
            target = self.path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                target.unlink()
            else:
                target.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", subject)
        return self.git("rev-parse", "HEAD")


class Inline:
    """Prepares documents without the child process."""

    async def prepare(self, data: bytes, paths: list[str]) -> Document:
        return answer(data, paths)


class Bench:
    """One index with everything around it, for tests of syncs."""

    def __init__(self, folder: Path, preparer: Inline) -> None:
        self.folder, self.preparer = folder, preparer
        self.qdrant, self.embedding = MemoryQdrant(), FakeEmbedding()
        self.call = Calls(self.qdrant, ONE_TRY)  # type: ignore[arg-type]
        self.opened: Index | None = None
        self.git = Git(base_environment(allow_file=True), timeout=30)
        self.leases = Leases("pod-0", "first")
        self.cache = EmbeddingCache(folder / "embeddings.sqlite", 2**26)
        self.second: FakeEmbedding | None = None

    def remote(self, name: str) -> Remote:
        return Remote(self.folder / "remotes" / name)

    def source(
        self, name: str, remote: Remote, ref: str = "main", refs: tuple[str, ...] = (), wanted: Wanted = EVERYTHING
    ) -> Source:
        repository = Repository(self.git, remote.url, self.folder / "work" / f"{name}.git")
        return Source(name, ref, repository, wanted, refs or (ref,))

    def opener(self) -> IndexOpener:
        """Return an opener for the service of the wanted model, and for a second one where there is one."""
        services = [self.embedding, *([self.second] if self.second else [])]
        return IndexOpener(self.call, [service.client() for service in services], ONE_TRY)

    async def index(self) -> Index:
        self.opened = await self.opener().current()
        return self.opened

    def tools(self, index: Index) -> Tools:
        identity = model_identity(index.model)
        return Tools(self.preparer, Embedder(index.client, ONE_TRY, index.model.model, 32, self.cache, identity))

    async def sync(self, source: Source, index: Index | None = None) -> HeadPayload:
        """Fetch and serve, as the worker does, whether or not the commit is new."""
        index = index or await self.index()
        commit = await source.repository.fetch(await source.repository.resolve(source.ref))
        async with self.leases.held(index.call, index.collection, source.name) as lease:
            before = await read_head(index.call, index.collection, source.name, source.ref)
            tools = self.tools(index)
            head, _ = await apply_commit(source, commit, before, index, tools, lambda done, total: None, lease)
        return head

    async def attempt(self, source: Source) -> str:
        """Sync, and say whether the process lived to the end."""
        try:
            await self.sync(source)
        except Killed:
            return "killed"
        return "served"

    async def chunks(self) -> list[dict[str, Any]]:
        """Return every stored chunk's payload, with its vectors."""
        index = self.opened or await self.index()
        points, _ = await self.qdrant.scroll(index.collection, limit=10_000, with_vectors=True)
        return [p.payload | {"id": p.id, "vector": p.vector} for p in points if p.payload["kind"] == CHUNK]

    async def served_texts(self, name: str, ref: str = "main") -> dict[str, str]:
        """Read a repository back from the index alone: path to the text that its chunks give."""
        index = self.opened or await self.index()
        head = await read_head(index.call, index.collection, name, ref)
        if head is None:
            return {}
        chunks: dict[str, list[dict[str, Any]]] = {}
        for chunk in await self.chunks():
            chunks.setdefault(chunk["blob"], []).append(chunk)
        found = {}
        for entry in (await read_served(index.call, index.collection, head)).entries:
            parts = sorted(chunks.get(entry.blob, []), key=lambda chunk: chunk["start_line"])
            found[entry.path] = "".join(part["text"] for part in parts)
        return found


class Passing:
    """A judge that lets everything pass."""

    async def verdict(self, editions):
        return Verdict(True, "as good", 0)


class Desk:
    """A worker with a clock that tests move, and its HTTP side."""

    def __init__(self, bench):
        self.bench, self.now, self.configured, self.secrets = bench, NOW, {}, {}
        self.tick = asyncio.Event()
        self.judge, self.mode = Passing(), "Auto"
        self.leases = Leases("pod-0", "second")

    def add(self, name, remote, ref="main", schedule="*/15 * * * *", refs=(), wanted=EVERYTHING):
        config = RepositoryConfig(name, remote.url, ref, schedule, None, refs, wanted)
        for one in config.all_refs:
            self.configured[Key(name, one)] = (
                config,
                self.bench.source(name, remote, one, config.all_refs, wanted),
            )

    def build(self):
        self.registry = CollectorRegistry()
        self.health = Health()
        metrics = SyncMetrics(self.registry)
        synchroniser = Synchroniser(self.configured, self.bench.opener(), self.bench.tools, metrics, self.leases)
        promotion = Promotion(self.bench.folder / "promotion.json", self.judge, self.mode, clock=lambda: self.now)
        self.worker = Worker(
            self.configured, synchroniser, promotion, metrics, self.health, lambda: self.now, self.sleep
        )
        app = create_app("test", keys=["key"], health=self.health, registry=self.registry)
        app.include_router(build_router(self.worker, DryRun(self.bench.preparer, self.bench.folder)))
        app.add_middleware(Beside, prefix=PREFIX, other=build_webhooks(self.worker, self.secrets))
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://test", headers={"authorization": "Bearer key"}
        )
        return self.worker

    async def sync(self, name="app", ref="main"):
        """Sync once, and then do what the worker does in quiet moments."""
        await self.worker.sync(Key(name, ref))
        await self.worker.promote()
        await self.worker.tidy()

    async def sleep(self, _seconds):
        await self.tick.wait()
        self.tick.clear()

    @asynccontextmanager
    async def running(self):
        worker = self.build()
        task = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def until(self, condition):
        async with asyncio.timeout(60):
            while not condition():  # noqa: ASYNC110 - the state is the worker's own; it tells nobody
                await asyncio.sleep(0.005)

    def state(self, name="app", ref="main"):
        return self.worker.statuses[Key(name, ref)]

    async def status(self):
        return (await self.http.get("/v1/status")).json()


@pytest.fixture
async def bench(tmp_path):
    made = Bench(tmp_path, Inline())
    yield made
    made.cache.close()
    await made.qdrant.close()


@pytest.fixture
def desk(bench):
    """A worker without repositories."""
    return Desk(bench)
