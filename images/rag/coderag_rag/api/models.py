"""The bodies of requests and answers, as /openapi.json shows them. Unknown fields of a request are refused."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

_LONGEST_QUERY = 20_000

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=_LONGEST_QUERY)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Names = Annotated[list[Name], Field(max_length=100)]


class RequestBody(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AnswerBody(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class SearchBody(RequestBody):
    """A search."""

    query: Text = Field(description="words, a name, a piece of code or an error with its trace")
    limit: int = Field(10, ge=1, le=50, description="how many hits at most")
    repositories: Names | None = Field(None, description="only these repositories")
    languages: Names | None = Field(None, description="only these languages, like python")
    paths: Names | None = Field(None, description="only these paths: globs like src/**/*.py, or folders")
    refs: Names | None = Field(None, description="only what is served at these refs, like main")


class Place(AnswerBody):
    """Another place of the same file content."""

    repository: str
    ref: str
    commit: str
    path: str


class Hit(AnswerBody):
    """Lines of a commit; 1-based and inclusive."""

    repository: str
    ref: str
    commit: str
    path: str
    start_line: int
    end_line: int
    score: float
    language: str
    symbols: list[str]
    within: str = Field("", description="the definition that began above and goes on here")
    text: str
    also_at: list[Place] = Field(description="other served places of exactly this content")
    link: str | None = Field(None, description="these lines on the repository's host, where it is known")


class ServedRepository(AnswerBody):
    """A repository at the commit that is served."""

    name: str
    ref: str
    commit: str
    indexed_at: str


class RepositoryDetails(ServedRepository):
    """A served repository and how much of it is searchable."""

    generation: int
    files: int
    chunks: int
    skipped: int


class SearchAnswer(AnswerBody):
    """Hits, best first."""

    hits: list[Hit]
    degraded: list[str] = Field(description="legs of the search that did not run")
    repositories: list[ServedRepository] = Field(description="what was searched")
    took_ms: float
    ranking: str = Field(description="version of the numbers that decided the order")
    query_class: str = Field(description="what the query was taken for")


class Citation(AnswerBody):
    """A marker of the answer, resolved and verified."""

    marker: str
    repository: str
    commit: str
    path: str
    start_line: int
    end_line: int
    text: str
    link: str | None = Field(None, description="these lines on the repository's host, where it is known")


class Repositories(AnswerBody):
    """All served repositories."""

    repositories: list[RepositoryDetails]
    degraded: list[str] = Field(description="dependencies that are down: the list is what was known last")


class Status(AnswerBody):
    """What is served, by what, and what is broken."""

    identity: str | None = Field(description="of an index built by the running embedding model")
    index_identities: list[str] = Field(description="of what is served")
    index_compatible: bool | None = Field(description="null while either side is unknown")
    ranking: str
    breakers: dict[str, str]
    degraded: list[str] = Field(description="dependencies that are down now")
    repositories: list[RepositoryDetails]
