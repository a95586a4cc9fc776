"""The question and the answer of `POST /v1/ask`, as /openapi.json shows them."""

from typing import Literal

from pydantic import Field

from coderag_rag.answer.answerer import Answer, Question
from coderag_rag.answer.task import Task
from coderag_rag.api.models import AnswerBody, Citation, Hit, Names, RequestBody, ServedRepository, Text
from coderag_rag.api.served import served_repositories, shown_citation, shown_hit
from coderag_rag.query.access import Permit
from coderag_rag.query.links import Links
from coderag_rag.query.weights import VERSION


class AskBody(RequestBody):
    """A question."""

    question: Text
    limit: int = Field(8, ge=1, le=50, description="how many sources at most")
    repositories: Names | None = Field(None, description="only these repositories")
    languages: Names | None = Field(None, description="only sources in these languages, like python")
    paths: Names | None = Field(None, description="only sources at these paths: globs like src/**/*.py, or folders")
    refs: Names | None = Field(None, description="only what is served at these refs, like main")
    task: Task | None = Field(None, description="explain code that is there or generate new code; else read from it")
    model: Literal["code", "chat"] = Field("code", description="which model answers")
    max_tokens: int | None = Field(None, ge=1, le=32_768, description="longest answer, in tokens")

    def to_question(self, permit: Permit) -> Question:
        """Return the question under the caller's permit."""
        return Question(
            self.question,
            self.limit,
            self.repositories or (),
            self.model,
            self.max_tokens,
            permit=permit,
            languages=self.languages or (),
            paths=self.paths or (),
            refs=self.refs or (),
            task=self.task,
        )


class AskAnswer(AnswerBody):
    """An answer whose every citation was checked."""

    answer: str
    citations: list[Citation]
    sources: list[Hit] = Field(description="what was found, cited or not")
    degraded: list[str]
    dropped_markers: int = Field(description="markers that the model invented; they were taken out")
    task: Task = Field(description="what the question was taken for")
    model: str
    served_by: str = Field(description="the deployment behind the gateway that answered")
    repositories: list[ServedRepository] = Field(description="what was searched")
    ranking: str = Field(description="version of the numbers that decided the order of the sources")


def ask_answer(text: str, answer: Answer, body: AskBody, links: Links) -> AskAnswer:
    """Return a finished answer."""
    return AskAnswer(
        answer=text.strip(),
        citations=[shown_citation(item, links) for item in answer.citations],
        sources=[shown_hit(hit, links) for hit in answer.sources],
        degraded=answer.degraded,
        dropped_markers=answer.dropped_markers,
        task=answer.task,
        model=body.model,
        served_by=answer.generation.served_by,
        repositories=served_repositories(answer.snapshot),
        ranking=VERSION,
    )
