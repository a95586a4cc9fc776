"""The change from one index identity to the next: build beside, judge, flip the alias, remove the old one later.

What happened last is kept in a file, so that a restart neither forgets nor repeats a verdict.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from coderag_rag.ingestion.gate import Verdict
from coderag_rag.ingestion.index import Editions
from coderag_rag.ingestion.repositories import AUTO
from coderag_rag.store.collection import drop_replaced, make_live
from coderag_rag.store.manifest import read_heads
from coderag_rag.store.schema import COLLECTION_PREFIX, HeadPayload

logger = logging.getLogger(__name__)
IDLE, BUILDING, WAITING, PROMOTED, REFUSED = "Idle", "Building", "Waiting", "Promoted", "Refused"
_JUDGED_FOR = timedelta(days=1)


class Judge(Protocol):
    """Comes to a verdict on the wanted index."""

    async def verdict(self, editions: Editions) -> Verdict: ...


@dataclass(frozen=True)
class Course:
    """Where the change stands. `since` is an ISO time."""

    state: str = IDLE
    origin: str | None = None
    target: str | None = None
    queries: int = 0
    ndcg_change: float | None = None
    upper95: float | None = None
    reason: str = ""
    since: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the course as the API shows it."""
        shown = {name: value for name, value in asdict(self).items() if name not in ("origin", "target")}
        return {"from": self.origin, "to": self.target} | shown


class Promotion:
    """Decides when the alias moves. `mode` is Auto or Manual; `keep` is how long a replaced index stays."""

    def __init__(
        self,
        path: Path,
        judge: Judge,
        mode: str = AUTO,
        keep: timedelta = timedelta(days=1),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._path, self._judge, self._mode, self._keep, self._clock = path, judge, mode, keep, clock
        self._began = clock()
        self._tried: tuple[str, datetime, Verdict] | None = None
        self.course = _load(path)

    async def consider(self, editions: Editions, refs_of: Mapping[str, tuple[str, ...]]) -> bool:
        """Do what is due; True when the alias was moved."""
        if editions.makeshift:
            return False
        if editions.settled:
            await self._rest(editions)
            return False
        live = await read_heads(editions.wanted.call, editions.live or "")
        begun = self._begun(editions, live)
        missing = await self._missing(editions, [head for head in live if head.ref in refs_of.get(head.repository, ())])
        if missing:
            self._become(replace(begun, state=BUILDING, reason=missing))
            return False
        verdict = await self._verdict(editions)
        numbers = {"queries": verdict.queries, "ndcg_change": verdict.ndcg_change, "upper95": verdict.upper95}
        judged = replace(begun, reason=verdict.reason, **numbers)
        if not verdict.passed:
            self._become(replace(judged, state=REFUSED))
        elif self._mode != AUTO:
            self._become(replace(judged, state=WAITING, reason=f"promotion is Manual; {verdict.reason}"))
        else:
            await make_live(editions.wanted.call, editions.wanted.collection)
            self._become(replace(judged, state=PROMOTED))
        return self.course.state == PROMOTED

    def _begun(self, editions: Editions, live: list[HeadPayload]) -> Course:
        """The course from the live index to the wanted one, without a verdict."""
        described = next((head.model.get("model", "") for head in live if head.model), "")
        short = (editions.live or "").removeprefix(COLLECTION_PREFIX)
        target = f"{editions.wanted.model.model} {editions.wanted.identity[:12]}"
        return Course(origin=f"{described} {short}".strip(), target=target, since=self.course.since)

    async def _missing(self, editions: Editions, live: list[HeadPayload]) -> str:
        """Say what the wanted index lacks of what is searched now, or nothing."""
        wanted = editions.wanted
        served = {(one.head.repository, one.head.ref): one for one in await wanted.served()}
        behind = [head for head in live if not _level(head, served, kept_up=editions.previous is not None)]
        if behind:
            return f"{len(live) - len(behind)} of {len(live)} refs are built"
        counts = {blob: count for one in served.values() for blob, count in one.counts.items()}
        unequal = await wanted.chunks.unequal(counts)
        return f"{len(unequal)} files are not whole yet" if unequal else ""

    async def _verdict(self, editions: Editions) -> Verdict:
        """A verdict holds for a day: it takes a minute of the machine, and single commits do not change it."""
        about, now = f"{editions.live} {editions.wanted.collection}", self._clock()
        if self._tried and self._tried[0] == about and now - self._tried[1] < _JUDGED_FOR:
            return self._tried[2]
        verdict = await self._judge.verdict(editions)
        self._tried = (about, now, verdict)
        logger.info("the rebuilt index was judged", extra={"passed": verdict.passed, "reason": verdict.reason})
        return verdict

    async def _rest(self, editions: Editions) -> None:
        if self.course.state in (BUILDING, WAITING, REFUSED):
            self._become(Course(reason="the searched index is the wanted one again"))
        since = datetime.fromisoformat(self.course.since) if self.course.since else self._began
        if self._clock() - since >= self._keep:
            for name in await drop_replaced(editions.wanted.call, editions.wanted.collection):
                logger.info("a replaced index was removed", extra={"collection": name})

    def _become(self, course: Course) -> None:
        """Take a new course, and write it down when it differs in more than its time."""
        if course.state != self.course.state or course.target != self.course.target or not self.course.since:
            course = replace(course, since=self._clock().isoformat(timespec="seconds"))
        if course != self.course:
            self.course = course
            _save(self._path, course)


def _level(head: HeadPayload, served: Mapping[tuple[str, str], Any], kept_up: bool) -> bool:
    """Whether a source that is searched is served by the new index, too: the same commit where both are kept up."""
    mine = served.get((head.repository, head.ref))
    return mine is not None and (not kept_up or mine.head.commit == head.commit)


def _load(path: Path) -> Course:
    try:
        return Course(**json.loads(path.read_text()))
    except FileNotFoundError:
        return Course()
    except (OSError, ValueError, TypeError) as error:
        logger.warning("what was promoted last is not known", extra={"reason": str(error)})
        return Course()


def _save(path: Path, course: Course) -> None:
    """Replace the file in one step; where that fails the worker goes on and only a restart would show it."""
    try:
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(course)))
        fresh.replace(path)
    except OSError as error:
        logger.warning("the promotion could not be written down", extra={"reason": str(error)})
