"""The index of one identity, opened: its collection and the stores in it."""

from dataclasses import dataclass

from coderag_rag.clients.embedding import EmbeddingClient, EmbeddingUnavailable
from coderag_rag.identity import EmbeddingModel, index_identity
from coderag_rag.retry import RetryPolicy
from coderag_rag.store.calls import Calls
from coderag_rag.store.chunks import ChunkStore
from coderag_rag.store.collection import drop_replaced, ensure_collection, live_collection, make_live
from coderag_rag.store.manifest import Served, read_heads, read_served
from coderag_rag.store.schema import HeadPayload, collection_name


@dataclass(frozen=True)
class Index:
    """Where one identity's points lie and how to reach them."""

    call: Calls
    identity: str
    model: EmbeddingModel
    collection: str

    @property
    def chunks(self) -> ChunkStore:
        """The chunk points of this index."""
        return ChunkStore(self.call, self.collection)

    async def served(self) -> list[Served]:
        """Return every served manifest."""
        heads = await read_heads(self.call, self.collection)
        return [await read_served(self.call, self.collection, head) for head in heads]

    async def heads(self) -> list[HeadPayload]:
        """Return the heads only."""
        return await read_heads(self.call, self.collection)

    async def settle_alias(self, configured: set[str]) -> None:
        """Make this index the live one as soon as nothing that is served would be lost by it."""
        live = await live_collection(self.call)
        if live == self.collection:
            return
        old = await read_heads(self.call, live) if live else []
        mine = {head.repository for head in await self.heads()}
        if {head.repository for head in old} & configured <= mine:
            await make_live(self.call, self.collection)


class IndexOpener:
    """Opens the index that fits the embedding model now running, and opens anew when the model changes."""

    def __init__(self, call: Calls, client: EmbeddingClient, policy: RetryPolicy) -> None:
        self._call, self._client, self._policy = call, client, policy
        self._current: Index | None = None

    async def current(self) -> Index:
        """Return the index of the running model, with its collection in place."""
        model = await self._model()
        identity = index_identity(model)
        current = self._current
        if current and current.identity == identity and await self._call("collection_exists", current.collection):
            return current
        self._current = Index(self._call, identity, model, collection_name(identity))
        await ensure_collection(self._call, self._current.collection, model.dimensions)
        return self._current

    async def drop_replaced(self) -> list[str]:
        """Delete earlier collections that are no longer live. They stay until a restart, for a way back."""
        return await drop_replaced(self._call, self._current.collection) if self._current else []

    async def _model(self) -> EmbeddingModel:
        async for attempt in self._policy.retrying(EmbeddingUnavailable):
            with attempt:
                model = await self._client.model()
        return model
