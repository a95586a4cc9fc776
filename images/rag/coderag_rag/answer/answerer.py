"""A question from search to verified answer; one path for whole answers and for streams.

The answer is always produced as a stream through the marker filter. Asking for it in one piece collects that stream, so
both forms verify citations in the same way.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from coderag_rag.answer.budget import AnswerLimits, Budget, plan_budget
from coderag_rag.answer.citations import Citation, only_true, resolve
from coderag_rag.answer.context import Block, build_context
from coderag_rag.answer.conversation import Pair, fitting, search_text, within
from coderag_rag.answer.generation import Generation
from coderag_rag.answer.listing import ListingFilter
from coderag_rag.answer.llm import PromptTooLong
from coderag_rag.answer.markers import MarkerFilter
from coderag_rag.answer.prompt import Messages, Request, build_messages, prompt_overhead, prompt_tokens
from coderag_rag.answer.relevance import is_answerable
from coderag_rag.answer.route import ModelRoute
from coderag_rag.answer.task import Task, task_of
from coderag_rag.query.access import EVERYTHING, Permit
from coderag_rag.query.effort import Effort, Patience
from coderag_rag.query.guard import DependencyDown
from coderag_rag.query.hits import SearchResult
from coderag_rag.query.search import Searcher, SearchRequest

# The token count of a prompt is an estimate, and a text can make a model say nothing: where the model does not answer,
# fewer sources are better than no answer.
_BUDGET_SHARES = (1.0, 0.5, 0.25)


class NothingRelevant(Exception):  # noqa: N818 - reads as the state it names
    """The search found no code for the question; `found` says where it looked."""

    def __init__(self, found: SearchResult) -> None:
        super().__init__("nothing in the index matches the question")
        self.found = found


@dataclass(frozen=True)
class Question:
    """What to answer, from where, by which model.

    `history` and `instructions` are what a conversation brings beside its last question. A task of None is read from
    the question. `options` go to the model as they are.
    """

    text: str
    limit: int = 8
    repositories: Sequence[str] = ()
    model: str = "code"
    max_tokens: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    permit: Permit = EVERYTHING
    languages: Sequence[str] = ()
    paths: Sequence[str] = ()
    refs: Sequence[str] = ()
    task: Task | None = None
    history: Sequence[Pair] = ()
    instructions: str = ""

    @property
    def search(self) -> SearchRequest:
        """What to look for."""
        filters = (self.repositories, self.languages, self.paths, self.refs)
        return SearchRequest(search_text(self.text, self.history), self.limit, *filters, self.permit)


class Answer:
    """An answer in progress: iterate `pieces`, then read the rest."""

    def __init__(
        self, found: SearchResult, blocks: Sequence[Block], generation: Generation, task: Task, prompt: int
    ) -> None:
        self.sources, self.degraded, self.generation, self.task = found.hits, found.degraded, generation, task
        self.snapshot, self.prompt_tokens = found.snapshot, prompt
        self._blocks = {block.number: block for block in blocks}
        self._lists, self._filter = ListingFilter(self._blocks), MarkerFilter(self._blocks)

    async def pieces(self) -> AsyncIterator[str]:
        """Yield the text of the answer, without invented markers; raises DependencyDown when it breaks off."""
        async for piece in self.generation.pieces():
            if shown := self._filter.feed(self._lists.feed(piece)):
                yield shown
        if rest := self._filter.feed(self._lists.finish()) + self._filter.finish():
            yield rest
        self._filter.note(self._lists.cited, self._lists.dropped)

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
        """Search and start the model; raises what searching raises, NothingRelevant or PromptTooLong."""
        effort = self._patience.begin()
        async with AsyncExitStack() as stack:
            yield await self._start(question, effort, stack)

    @asynccontextmanager
    async def relay(self, body: Mapping[str, Any]) -> AsyncIterator[Generation]:
        """Put a request to a model as it is; raises DependencyDown or PromptTooLong. Nothing is searched or added."""
        effort = self._patience.begin()
        async with AsyncExitStack() as stack:
            yield await self._route.start(body, effort, stack)

    async def _start(self, question: Question, effort: Effort, stack: AsyncExitStack) -> Answer:
        task = question.task or task_of(question.text)
        window = await self._route.window(question.model)
        budget = plan_budget(self._limits, task, question.max_tokens, window)
        request = _request(question, task, budget)
        room = budget.prompt - prompt_overhead(request)
        if room <= 0:
            raise PromptTooLong("the question alone is longer than the context")
        found = await self._search(question, effort)
        return await self._generate(question, request, found, (room, budget.answer), effort, stack)

    async def _search(self, question: Question, effort: Effort) -> SearchResult:
        asked = question.search
        found = await self._searcher.search(asked, effort)
        found = replace(found, hits=only_true(found.hits, found.snapshot))
        if not is_answerable(asked.query, found.hits):
            raise NothingRelevant(found)
        return found

    async def _generate(
        self,
        question: Question,
        request: Request,
        found: SearchResult,
        sizes: tuple[int, int],
        effort: Effort,
        stack: AsyncExitStack,
    ) -> Answer:
        room, longest = sizes
        unanswered: Exception = PromptTooLong("")
        for share in _BUDGET_SHARES:
            blocks = build_context(found.hits, int(room * share))
            messages = build_messages(request, blocks)
            try:
                generation = await self._route.start(_body(question, messages, longest), effort, stack)
            except PromptTooLong as error:
                unanswered = error
                continue
            if not generation.is_empty:
                return Answer(found, blocks, generation, request.task, prompt_tokens(messages))
            # Not a failure of the server, so no breaker counts it.
            unanswered = DependencyDown(generation.name, "the model ended its answer before the first word")
        raise unanswered


def _request(question: Question, task: Task, budget: Budget) -> Request:
    history = fitting(question.history, budget.history)
    return Request(question.text, task, history, within(question.instructions, budget.instructions))


def _body(question: Question, messages: Messages, longest: int) -> dict[str, Any]:
    return {**question.options, "model": question.model, "messages": messages, "max_tokens": longest}
