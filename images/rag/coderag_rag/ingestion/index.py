"""The index of one identity, opened: its collection and the stores in it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from coderag_rag.clients.embedding import EmbeddingClient, EmbeddingError, EmbeddingUnavailable
from coderag_rag.identity import EmbeddingModel, index_identity
from coderag_rag.retry import RetryPolicy
from coderag_rag.store.calls import Calls
from coderag_rag.store.chunks import ChunkStore
from coderag_rag.store.collection import ensure_collection, live_collection
from coderag_rag.store.manifest import Served, read_heads, read_served
from coderag_rag.store.schema import HeadPayload, collection_name

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Index:
    """Where one identity's points lie, and the model and service that make its vectors."""

    call: Calls
    identity: str
    model: EmbeddingModel
    collection: str
    client: EmbeddingClient

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


@dataclass(frozen=True)
class Editions:
    """The index that is wanted, and the one that is searched now where that is another one.

    `live` is the collection behind the alias; `previous` is that same index, open for writing, as long as a service
    with its model runs and this code would build it the same way. `makeshift` means that the wanted model does not
    answer and the searched index is kept up in its place.
    """

    wanted: Index
    live: str | None
    previous: Index | None = None
    makeshift: bool = False

    @property
    def settled(self) -> bool:
        """Whether the wanted index is the one that is searched."""
        return self.live == self.wanted.collection

    @property
    def kept_up(self) -> tuple[Index, ...]:
        """The indexes that follow the repositories, the searched one first."""
        return (self.previous, self.wanted) if self.previous else (self.wanted,)


class IndexOpener:
    """Opens the indexes that fit the embedding models now running, and opens anew when a model changes.

    The first client is that of the wanted model, further ones those of models that the live index may still need.
    """

    def __init__(self, call: Calls, clients: Sequence[EmbeddingClient], policy: RetryPolicy) -> None:
        self.call, self._clients, self._policy = call, clients, policy
        self._current: Index | None = None

    async def current(self) -> Index:
        """Return the index of the wanted model, with its collection in place."""
        index = self._index(await self._model(), self._clients[0])
        if self._current != index or not await self.call("collection_exists", index.collection):
            await ensure_collection(self.call, index.collection, index.model.dimensions)
            self._current = index
        return self._current

    async def editions(self) -> Editions:
        """Return the wanted index and the searched one."""
        live = await live_collection(self.call)
        try:
            wanted = await self.current()
        except EmbeddingError:
            previous = await self._previous(live) if live else None
            if previous is None:
                raise
            return Editions(previous, live, makeshift=True)
        if live is None or live == wanted.collection:
            return Editions(wanted, live)
        return Editions(wanted, live, await self._previous(live))

    async def asking(self, model: EmbeddingModel) -> EmbeddingClient | None:
        """Return the client of a service that runs exactly this model, if there is one."""
        for client in self._clients:
            if await self._answer(client) == model:
                return client
        return None

    async def _previous(self, live: str) -> Index | None:
        for client in self._clients[1:]:
            model = await self._answer(client)
            if model and collection_name(index_identity(model)) == live:
                return self._index(model, client)
        return None

    async def _answer(self, client: EmbeddingClient) -> EmbeddingModel | None:
        try:
            return await client.model()
        except EmbeddingError as error:
            logger.info("an embedding service does not answer", extra={"reason": str(error)})
            return None

    def _index(self, model: EmbeddingModel, client: EmbeddingClient) -> Index:
        identity = index_identity(model)
        return Index(self.call, identity, model, collection_name(identity), client)

    async def _model(self) -> EmbeddingModel:
        async for attempt in self._policy.retrying(EmbeddingUnavailable):
            with attempt:
                model = await self._clients[0].model()
        return model
