"""The work behind POST /v1/embeddings: the model, the lanes and the counts, with no HTTP in it."""

from collections.abc import Coroutine
from dataclasses import replace
from functools import partial
from typing import Any

from coderag_embedding.bulk import BulkLostError
from coderag_embedding.cache import QueryCache, digest, gather_all
from coderag_embedding.errors import ApiError
from coderag_embedding.jobs import EmbedJob
from coderag_embedding.lanes import Lanes, QueueFullError
from coderag_embedding.manager import ModelManager
from coderag_embedding.metrics import Metrics
from coderag_embedding.model import Embedded, Model
from coderag_embedding.pace import estimate_tokens
from coderag_embedding.pooling import shorten
from coderag_embedding.schema import HINTS, EmbeddingRequest, Lane

LOADING_RETRY_SECONDS = 2


class Service:
    """Embeds requests."""

    def __init__(self, manager: ModelManager, lanes: Lanes, query_cache: int = 0) -> None:
        self.manager = manager
        self.lanes = lanes
        self.cache: QueryCache[Embedded] = QueryCache(query_cache)
        self.metrics = Metrics(manager, lanes, self.cache)

    async def embed(self, request: EmbeddingRequest) -> list[Embedded]:
        """Return a vector for each input, in order."""
        model = await self._model_for(request)
        manifest, lane = model.manifest, request.input_type
        prompt = manifest.query_prompt if lane == "query" else manifest.passage_prompt
        jobs = [EmbedJob(model, text, prompt) for text in request.input]
        try:
            results = await (self._queries(jobs) if lane == "query" else self._compute(lane, jobs))
        except QueueFullError as full:
            self.metrics.rejected.labels(lane).inc()
            hint = "Wait for Retry-After seconds, or send fewer texts at once."
            raise ApiError(
                429, "queue_full", "Too many texts wait already.", hint, retry_after=full.retry_after
            ) from None
        except BulkLostError as lost:
            hint = "Try again; if it ends again, give the container more memory."
            raise ApiError(
                503, "bulk_lost", f"Not computed: {lost}.", hint, retry_after=LOADING_RETRY_SECONDS
            ) from lost
        self._count(lane, results)
        return [replace(one, vector=shorten(one.vector, request.dimensions)) for one in results]

    async def model(self) -> Model:
        """Return the model, loading a lazy one, or raise the 503 that says why there is none."""
        await self.manager.demand()
        return self.ready_model()

    def check_ready(self) -> None:
        """Raise the 503 unless requests can be answered; a lazy model that nobody has asked for yet can be."""
        if not self.manager.idle:
            self.ready_model()

    def ready_model(self) -> Model:
        """Return the model, or raise the 503 that says why there is none."""
        if self.manager.model is None:
            reason = self.manager.error or "the model is still loading"
            hint = "Try again in a moment; GET /model/status says more."
            raise ApiError(503, "model_not_loaded", f"Not ready: {reason}.", hint, retry_after=LOADING_RETRY_SECONDS)
        return self.manager.model

    async def _queries(self, jobs: list[EmbedJob]) -> list[Embedded]:
        """Answer from the cache; what is new is computed once, whoever else asks for it meanwhile."""
        self.lanes.note_query()

        def lookup(job: EmbedJob) -> Coroutine[Any, Any, Embedded]:
            key = digest(job.model.manifest.revision, job.model.precision, job.prompt, job.text)
            return self.cache.get(key, partial(self._one, job))

        return await gather_all([lookup(job) for job in jobs])

    async def _one(self, job: EmbedJob) -> Embedded:
        return (await self._compute("query", [job]))[0]

    async def _compute(self, lane: Lane, jobs: list[EmbedJob]) -> list[Embedded]:
        costs = [estimate_tokens(job.prompt + job.text, job.model.manifest.max_tokens) for job in jobs]
        return await self.lanes.run(lane, jobs, costs)

    async def _model_for(self, request: EmbeddingRequest) -> Model:
        if request.model not in (self.manager.name, self._serving()):
            message = f"There is no model {request.model[:100]!r}; this service has {self._serving()!r}."
            raise ApiError(404, "model_not_found", message, HINTS["model"], param="model")
        manifest = (model := await self.model()).manifest
        if request.model != manifest.name:
            hint = f"{manifest.name} answers under its own name; its vectors do not fit an index of {request.model}."
            raise ApiError(
                503, "model_not_loaded", f"Not ready: {self.manager.error}.", hint, retry_after=LOADING_RETRY_SECONDS
            )
        lowest = manifest.shortest or manifest.dimensions
        if request.dimensions is not None and not lowest <= request.dimensions <= manifest.dimensions:
            possible = f"{lowest} to {manifest.dimensions}" if manifest.shortest else f"{manifest.dimensions}"
            message = f"dimensions: {manifest.name} makes {possible}, not {request.dimensions}."
            raise ApiError(400, "invalid_value", message, HINTS["dimensions"], param="dimensions")
        return model

    def _serving(self) -> str:
        return self.manager.model.manifest.name if self.manager.model else self.manager.name

    def _count(self, lane: str, results: list[Embedded]) -> None:
        self.metrics.texts.labels(lane).inc(len(results))
        self.metrics.tokens.labels(lane).inc(sum(one.tokens for one in results))
        self.metrics.truncated.labels(lane).inc(sum(one.truncated for one in results))
