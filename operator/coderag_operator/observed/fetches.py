"""What the fetch Jobs tell: which model files are there, which failed for good, which Job has to run again and when."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from coderag_operator.api.embedding import FOLDER
from coderag_operator.observed.child import Child
from coderag_operator.observed.details import Job, Pod
from coderag_operator.observed.entries import number_of, read_entry, text_of
from coderag_operator.observed.facts import Facts, Failed, Fetched
from coderag_operator.observed.vram import Reading, read_reading

BASE_SECONDS, CAP_SECONDS = 10, 300
MESSAGE_LIMIT = 300


@dataclass(frozen=True)
class Lesson:
    """The facts with what was learnt, the failed Jobs whose time has come to go, and the seconds to the next one's."""

    facts: Facts
    expired: tuple[Child, ...] = ()
    wait: float | None = None


def learn(facts: Facts, jobs: Iterable[Child], pods: Iterable[Child], claim_uid: str, now: float) -> Lesson:
    """Return what the fetch Jobs onto this claim and their pods tell beyond what is known."""
    expired: list[Child] = []
    waits: list[float] = []
    models = {
        digest: model for digest, model in facts.models.items() if not claim_uid or model.claim_uid in ("", claim_uid)
    }
    fetches = dict(facts.fetches)
    jobs, pods = tuple(jobs), tuple(pods)
    results = read_results(pods)
    for job in jobs:
        details = job.details
        if not isinstance(details, Job) or not details.digest or job.deleting:
            continue
        result = results.get(job.uid, {})
        if result.get("ok") is True:
            models[details.digest] = read_success(result, claim_uid if details.fetches else "")
        if details.digest in models:
            fetches.pop(details.digest, None)
        elif details.failed or details.complete:
            failure = fetches[details.digest] = count_failure(fetches.get(details.digest), job, result, now)
            due = failure.failed_at + backoff(failure.attempts) - now
            if not failure.final:
                if due <= 0:
                    expired.append(job)
                else:
                    waits.append(due)
    geometries = {**facts.geometries, **read_geometries(jobs, pods)}
    expired += find_mute(jobs, pods, models, geometries)
    learnt = replace(facts, models=models, fetches=fetches, geometries=geometries)
    return Lesson(learnt, tuple(expired), min(waits, default=None))


def find_mute(
    jobs: Iterable[Child], pods: Iterable[Child], models: Mapping[str, Fetched], geometries: Mapping[str, Reading]
) -> Iterator[Child]:
    """Yield the Jobs that have ended and whose pods are gone before the header was known: nobody else will tell it."""
    heard = {pod.owner for pod in pods}
    for job in jobs:
        details = job.details
        unread = {key for key in models if not key.startswith(FOLDER)} - geometries.keys()
        ended = isinstance(details, Job) and details.complete and details.digest in unread
        # The files of an embedding model have no header to tell of.
        if ended and job.uid not in heard and not job.deleting:
            yield job


def read_results(pods: Iterable[Child]) -> dict[str, dict[str, Any]]:
    """Return the termination message of each Job's pods by the Job's UID; a success outweighs everything."""
    results: dict[str, dict[str, Any]] = {}
    for pod in pods:
        for text in pod.details.endings if isinstance(pod.details, Pod) else ():
            document = read_entry(text)
            # What the init step reads of the header comes first and is no result yet: only the whole file has a place.
            if document is not None and is_result(document) and results.get(pod.owner, {}).get("ok") is not True:
                results[pod.owner] = document
    return results


def is_result(document: dict[str, Any]) -> bool:
    """Tell whether a report is the end of a fetch: a failure, or a file that is there."""
    return document.get("ok") is not True or "file" in document


def read_geometries(jobs: Iterable[Child], pods: Iterable[Child]) -> dict[str, Reading]:
    """Return what the Jobs' pods read of the models' headers, by the key of the file."""
    keys = {job.uid: job.details.digest for job in jobs if isinstance(job.details, Job) and job.details.digest}
    found: dict[str, Reading] = {}
    for pod in pods:
        for text in pod.details.endings if isinstance(pod.details, Pod) and pod.owner in keys else ():
            document = read_entry(text) or {}
            reading = read_reading(document)
            # Without a header nothing was read: a site that gives no parts of a file is asked for the whole of it.
            if reading is not None and (reading.geometry or "header" in document):
                found[keys[pod.owner]] = reading
    return found


def read_success(result: dict[str, Any], claim_uid: str) -> Fetched:
    """Return the fact that a successful fetch is."""
    header = result.get("header")
    return Fetched(claim_uid, number_of(result, "sizeBytes"), header if isinstance(header, dict) else {})


def count_failure(before: Failed | None, job: Child, result: dict[str, Any], now: float) -> Failed:
    """Return the failure of a Job, counted once per Job."""
    if before is not None and before.job_uid == job.uid:
        return before
    return Failed(
        attempts=(before.attempts if before else 0) + 1,
        reason=text_of(result, "reason") or "Interrupted",
        message=text_of(result, "message")[:MESSAGE_LIMIT] or "the fetch ended without a result",
        final=result.get("transient") is False,
        job_uid=job.uid,
        failed_at=int(now),
    )


def backoff(attempts: int) -> float:
    """Return how long to wait after so many failures."""
    return float(min(CAP_SECONDS, BASE_SECONDS * 2 ** min(attempts - 1, 10)))
