"""A question from search to verified answer; one path for whole answers and for streams.

The answer is always produced as a stream through the marker filter. Asking for it in one piece collects that stream, so
both forms verify citations in the same way.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from coderag_rag.answer.citations import Citation, only_true, resolve
from coderag_rag.answer.context import Block, build_context, estimate_tokens
from coderag_rag.answer.generation import Generation
from coderag_rag.answer.llm import PromptTooLong
from coderag_rag.answer.markers import MarkerFilter
from coderag_rag.answer.prompt import build_messages, prompt_overhead
from coderag_rag.answer.route import ModelRoute
from coderag_rag.query.access import EVERYTHING, Permit
from coderag_rag.query.effort import Effort, Patience
from coderag_rag.query.hits import SearchResult
from coderag_rag.query.search import Searcher, SearchRequest

# The token count of a prompt is an estimate; where the model disagrees, fewer sources are better than no answer.
_BUDGET_SHARES = (1.0, 0.5, 0.25)


class NothingRelevant(Exception):  # noqa: N818 - reads as the state it names
    """The search found no code for the question."""


@dataclass(frozen=True)
class Question:
    """What to answer, from where, by which model. `options` go to the model as they are."""

    text: str
    limit: int = 8
    repositories: Sequence[str] = ()
    model: str = "code"
    max_tokens: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    permit: Permit = EVERYTHING


@dataclass(frozen=True)
class AnswerLimits:
    """Sizes of an answer."""

    context_tokens: int = 2048
    answer_tokens: int = 512


class Answer:
    """An answer in progress: iterate `pieces`, then read the rest."""

    def __init__(
        self, found: SearchResult, blocks: Sequence[Block], generation: Generation, prompt_tokens: int
    ) -> None:
        self.sources, self.degraded, self.generation = found.hits, found.degraded, generation
        self.snapshot, self.prompt_tokens = found.snapshot, prompt_tokens
        self._blocks = {block.number: block for block in blocks}
        self._filter = MarkerFilter(self._blocks)

    async def pieces(self) -> AsyncIterator[str]:
        """Yield the text of the answer, without invented markers; raises DependencyDown when it breaks off."""
        async for piece in self.generation.pieces():
            if shown := self._filter.feed(piece):
                yield shown
        if rest := self._filter.finish():
            yield rest

    @property
    def citations(self) -> list[Citation]:
        """What the text so far cites."""
        return resolve(self._filter.cited, self._blocks, self.snapshot)

    @property
    def dropped_markers(self) -> int:
        """How many invented markers were taken out."""
        return self._filter.dropped


class Answerer:
    """Answers questions over the index."""

    def __init__(self, searcher: Searcher, route: ModelRoute, limits: AnswerLimits, patience: Patience) -> None:
        self._searcher, self._route, self._limits, self._patience = searcher, route, limits, patience

    @asynccontextmanager
    async def open(self, question: Question) -> AsyncIterator[Answer]:
        """Search and start the model; raises what searching raises, NothingRelevant, or PromptTooLong."""
        effort = self._patience.begin()
        async with AsyncExitStack() as stack:
            yield await self._start(question, effort, stack)

    async def _start(self, question: Question, effort: Effort, stack: AsyncExitStack) -> Answer:
        budget = self._limits.context_tokens - prompt_overhead(question.text)
        if budget <= 0:
            raise PromptTooLong("the question alone is longer than the context")
        request = SearchRequest(question.text, question.limit, question.repositories, permit=question.permit)
        found = await self._searcher.search(request, effort)
        hits = only_true(found.hits, found.snapshot)
        if not hits:
            raise NothingRelevant
        return await self._generate(question, replace(found, hits=hits), budget, effort, stack)

    async def _generate(
        self, question: Question, found: SearchResult, budget: int, effort: Effort, stack: AsyncExitStack
    ) -> Answer:
        refused = PromptTooLong("")
        for share in _BUDGET_SHARES:
            blocks = build_context(found.hits, int(budget * share))
            body = self._body(question, blocks)
            try:
                generation = await self._route.start(body, effort, stack)
                return Answer(found, blocks, generation, _prompt_tokens(body))
            except PromptTooLong as error:
                refused = error
        raise refused

    def _body(self, question: Question, blocks: Sequence[Block]) -> dict[str, Any]:
        limit = question.max_tokens or self._limits.answer_tokens
        messages = build_messages(question.text, blocks)
        return {**question.options, "model": question.model, "messages": messages, "max_tokens": limit}


def _prompt_tokens(body: Mapping[str, Any]) -> int:
    return sum(estimate_tokens(message["content"]) for message in body["messages"])
