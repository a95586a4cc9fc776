"""The work behind POST /v1/embeddings: the model, the lanes and the counts, with no HTTP in it."""

from functools import partial

from coderag_embedding.errors import ApiError
from coderag_embedding.lanes import Lanes, QueueFullError
from coderag_embedding.manager import ModelManager
from coderag_embedding.metrics import Metrics
from coderag_embedding.model import Embedded, Model
from coderag_embedding.schema import HINTS, EmbeddingRequest

LOADING_RETRY_SECONDS = 2


class Service:
    """Embeds requests."""

    def __init__(self, manager: ModelManager, lanes: Lanes) -> None:
        self.manager = manager
        self.lanes = lanes
        self.metrics = Metrics(manager, lanes)

    async def embed(self, request: EmbeddingRequest) -> list[Embedded]:
        """Return a vector for each input, in order."""
        model = self._model_for(request)
        manifest, lane = model.manifest, request.input_type
        prompt = manifest.query_prompt if lane == "query" else manifest.passage_prompt
        jobs = [partial(model.embed, text, prompt) for text in request.input]
        try:
            results = await self.lanes.run(lane, jobs)
        except QueueFullError as full:
            self.metrics.rejected.labels(lane).inc()
            hint = "Wait for Retry-After seconds, or send fewer texts at once."
            raise ApiError(
                429, "queue_full", "Too many texts wait already.", hint, retry_after=full.retry_after
            ) from None
        self._count(lane, results)
        return results

    def ready_model(self) -> Model:
        """Return the model, or raise the 503 that says why there is none."""
        if self.manager.model is None:
            reason = self.manager.error or "the model is still loading"
            hint = "Try again in a moment; GET /model/status says more."
            raise ApiError(503, "model_not_loaded", f"Not ready: {reason}.", hint, retry_after=LOADING_RETRY_SECONDS)
        return self.manager.model

    def _model_for(self, request: EmbeddingRequest) -> Model:
        if request.model != self.manager.name:
            message = f"There is no model {request.model[:100]!r}; this service has {self.manager.name!r}."
            raise ApiError(404, "model_not_found", message, HINTS["model"], param="model")
        model = self.ready_model()
        if request.dimensions not in (None, model.manifest.dimensions):
            message = f"dimensions: {self.manager.name} makes {model.manifest.dimensions}, not {request.dimensions}."
            raise ApiError(400, "invalid_value", message, HINTS["dimensions"], param="dimensions")
        return model

    def _count(self, lane: str, results: list[Embedded]) -> None:
        self.metrics.texts.labels(lane).inc(len(results))
        self.metrics.tokens.labels(lane).inc(sum(one.tokens for one in results))
        self.metrics.truncated.labels(lane).inc(sum(one.truncated for one in results))
