"""What the tests of the index half share: an in-memory Qdrant that can fail, a fake embedding service, Git remotes."""

import hashlib
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from coderag_rag.chunking.__main__ import answer
from coderag_rag.chunking.document import Document
from coderag_rag.clients.embedding import EmbeddingClient
from coderag_rag.git.command import Git, base_environment
from coderag_rag.git.repository import Repository
from coderag_rag.ingestion.embedder import Embedder
from coderag_rag.ingestion.index import Index, IndexOpener
from coderag_rag.ingestion.sync import Source, Tools, apply_commit
from coderag_rag.retry import RetryPolicy
from coderag_rag.store.calls import Calls
from coderag_rag.store.manifest import read_head, read_served
from coderag_rag.store.schema import CHUNK, HeadPayload
from qdrant_client import AsyncQdrantClient

ONE_TRY = RetryPolicy(1, 0, 0)
WRITES = {"upsert", "delete", "set_payload", "update_vectors", "create_collection", "update_collection_aliases"}


class Killed(BaseException):
    """The process ends here: nothing that catches Exception survives it."""


class MemoryQdrant:
    """Qdrant's own local mode, with every write listed and a chosen one never done."""

    def __init__(self) -> None:
        self.client = AsyncQdrantClient(":memory:")
        self.writes: list[str] = []
        self.payload_indexes: list[str] = []
        self.kill_at: int | None = None
        self.before_write: Callable[[str], None] | None = None

    async def create_payload_index(self, _collection: str, field_name: str, **_options: Any) -> None:
        """Local mode warns that indexes do nothing there."""
        self.payload_indexes.append(field_name)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.client, name)
        if name not in WRITES:
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
    """An embedding service whose vectors depend on the text alone."""

    model: str = "fake"
    dimensions: int = 4
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
        digest = hashlib.sha256(text.encode()).digest()
        return [byte / 255 + 0.01 for byte in digest[: self.dimensions]]

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

    def commit(self, files: dict[str, str | bytes | None]) -> str:
        for name, content in files.items():
            target = self.path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                target.unlink()
            else:
                target.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "change")
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

    def remote(self, name: str) -> Remote:
        return Remote(self.folder / "remotes" / name)

    def source(self, name: str, remote: Remote, ref: str = "main") -> Source:
        return Source(name, ref, Repository(self.git, remote.url, self.folder / "work" / f"{name}.git"))

    def opener(self) -> IndexOpener:
        return IndexOpener(self.call, self.embedding.client(), ONE_TRY)

    async def index(self) -> Index:
        self.opened = await self.opener().current()
        return self.opened

    def tools(self, index: Index) -> Tools:
        return Tools(self.preparer, Embedder(self.embedding.client(), ONE_TRY, index.model.model, 32))

    async def sync(self, source: Source, index: Index | None = None) -> HeadPayload:
        """Fetch and serve, as the worker does, whether or not the commit is new."""
        index = index or await self.index()
        before = await read_head(index.call, index.collection, source.name, source.ref)
        commit = await source.repository.fetch(await source.repository.resolve(source.ref))
        head, _ = await apply_commit(source, commit, before, index, self.tools(index), lambda done, total: None)
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


@pytest.fixture
async def bench(tmp_path):
    made = Bench(tmp_path, Inline())
    yield made
    await made.qdrant.close()
