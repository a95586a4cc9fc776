"""A search, step by step: view, legs, served hits only, fusion, ranking, texts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from coderag_rag.query.access import EVERYTHING, Permit
from coderag_rag.query.admission import Admission
from coderag_rag.query.analysis import Query, analyse
from coderag_rag.query.continuation import definitions_in_parts
from coderag_rag.query.diversity import spread
from coderag_rag.query.effort import Effort, any_failure
from coderag_rag.query.fusion import Worth, fuse, scaled
from coderag_rag.query.guard import Breaker, DependencyDown
from coderag_rag.query.hits import Hit, SearchResult
from coderag_rag.query.legs import Legs, Points, QueryEmbedder
from coderag_rag.query.lexicon import NO_LEXICON, Lexicon
from coderag_rag.query.places import best_place
from coderag_rag.query.poller import ManifestPoller
from coderag_rag.query.ranking import Candidate, rank
from coderag_rag.query.reader import QDRANT, IndexReader
from coderag_rag.query.scope import Filters, Scope
from coderag_rag.query.weights import LEG_WEIGHTS, OVERFETCH, RANKER, Leg, QueryClass


@dataclass(frozen=True)
class SearchRequest:
    """What to look for and where."""

    query: str
    limit: int = 10
    repositories: Sequence[str] = ()
    languages: Sequence[str] = ()
    paths: Sequence[str] = ()
    refs: Sequence[str] = ()
    permit: Permit = EVERYTHING

    @property
    def filters(self) -> Filters:
        """What the request narrows itself to."""
        return Filters(self.repositories, self.languages, self.paths, self.refs)


class Searcher:
    """Answers searches from the index and the served manifests."""

    def __init__(
        self,
        reader: IndexReader,
        embedder: QueryEmbedder,
        manifests: ManifestPoller,
        qdrant: Breaker,
        lexicon: Lexicon = NO_LEXICON,
    ) -> None:
        self._reader, self._manifests, self._qdrant, self._lexicon = reader, manifests, qdrant, lexicon
        self._legs = Legs(reader, embedder)
        self.admission = Admission()

    async def search(self, request: SearchRequest, effort: Effort) -> SearchResult:
        """Return the best hits; raises TooManySearches, DependencyDown, NothingIndexed or UnknownRepository/-Ref."""
        look_up = partial(self._look_up, request, effort)
        with self.admission.one_more(judged=effort.schedule is None):
            try:
                async with effort.deadline.cut():
                    return await self._qdrant.call(look_up, partial(effort.retrying, any_failure))
            except TimeoutError:
                raise DependencyDown(QDRANT, "the search was not complete in time") from None

    async def _look_up(self, request: SearchRequest, effort: Effort) -> SearchResult:
        """Search once. The view is taken anew each time: after an outage it may be another one."""
        scope = Scope.build(self._manifests.served(), request.filters, request.permit)
        query = analyse(request.query, self._lexicon)
        found = await self._legs.run(query, scope, effort)
        ordered = spread(order(query, scope, found.points), request.limit, RANKER.repository_share)
        hits = await self._with_texts(ordered, scope.snapshot.collection)
        return SearchResult(hits, found.degraded, scope.snapshot, query.kind)

    async def _with_texts(self, candidates: Sequence[Candidate], collection: str) -> list[Hit]:
        """Return the hits. The leg of named files brings no texts; of a point that is gone by now there is none."""
        texts = {one.point: (one.chunk.text, one.chunk.text_sha256) for one in candidates if one.chunk.text_sha256}
        bare = [one.point for one in candidates if one.point not in texts]
        texts |= await self._reader.at(collection).texts(bare) if bare else {}
        return [_hit(one, *texts[one.point]) for one in candidates if one.point in texts]


def order(query: Query, scope: Scope, legs: Mapping[Leg, Points]) -> list[Candidate]:
    """Return the served points of all legs in their final order."""
    found = {point.id: point for points in legs.values() for point in points}
    places = {blob: scope.places(blob) for blob in {point.chunk.blob for point in found.values()}}
    served = {point for point, one in found.items() if places[one.chunk.blob]}
    worth = {leg: [one for one in _worth(leg, points) if one[0] in served] for leg, points in legs.items()}
    fused = fuse(worth, LEG_WEIGHTS[query.kind], definitions_in_parts(found.values()))
    scored = []
    for point, score in fused:
        chunk = found[point].chunk
        scored.append(Candidate(point, chunk, *best_place(places[chunk.blob], query.words), score))
    return rank(query, scored, demote=not (scope.by_path or query.kind is QueryClass.PATH))


def _worth(leg: Leg, points: Points) -> Iterator[Worth]:
    """Return what each point of a leg is worth, before those are left out that are not served."""
    return zip(
        [point.id for point in points], scaled(leg, [point.score for point in points], OVERFETCH[leg]), strict=True
    )


def _hit(item: Candidate, text: str, sha256: str) -> Hit:
    place, chunk = item.place, item.chunk
    return Hit(
        repository=place.repository,
        ref=place.ref,
        commit=place.commit,
        path=place.path,
        start_line=chunk.start_line,
        end_line=chunk.end_line,
        score=round(item.score, 6),
        language=chunk.language,
        symbols=list(chunk.symbols),
        text=text,
        blob=chunk.blob,
        text_sha256=sha256,
        within=chunk.within,
        also_at=list(item.also_at),
    )
