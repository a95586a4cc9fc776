"""What is said of the index: whether every commit is served, and with the embedding model that is wanted. Pure."""

from collections.abc import Iterator

from coderag_operator.observed.index import BUILDING, REFUSED, WAITING, Index, Promotion, Ref, Repository
from coderag_operator.observed.view import View
from coderag_operator.verdict import FALSE, TRUE, UNKNOWN, Verdict

MOST_NAMES = 16  # a message is for people
# The state of a change, the reason of the condition, and what it says.
CHANGES = {
    BUILDING: ("Rebuilding", "the index for {old} answers until the one for the model of spec.embedding is built"),
    WAITING: (
        "AwaitingPromotion",
        "an index for the model of spec.embedding is ready{figures} and waits for a person, while the one for {old} "
        "answers: set spec.embedding.promotion to Auto, or spec.embedding.model back",
    ),
    REFUSED: (
        "PromotionRefused",
        "{why}{figures}; the index for {old} goes on answering: set spec.embedding.model back to it",
    ),
}


def judge_index(view: View) -> tuple[Verdict, Verdict]:
    """IndexReady: every repository has a served commit. IndexCompatible: built by the embedding model that runs."""
    if view.invalid and view.index is None:
        return twice(UNKNOWN, "NotReported", "the ingestion worker has not reported yet")
    if not view.repositories and not view.invalid:
        return twice(TRUE, "NoRepositories", "spec.repositories is empty")
    if view.index is None:
        return twice(UNKNOWN, "NotReported", "the ingestion worker has not reported yet")
    if not view.index.reachable:
        return twice(UNKNOWN, "Unreachable", "the ingestion worker does not answer")
    return judge_repositories(view, view.index), judge_identity(view.index)


def twice(status: str, reason: str, message: str) -> tuple[Verdict, Verdict]:
    """Return the same verdict on both conditions of the index."""
    return Verdict("IndexReady", status, reason, message), Verdict("IndexCompatible", status, reason, message)


def judge_repositories(view: View, index: Index) -> Verdict:
    """Tell whether every repository of the spec has a served commit, at each of its refs."""
    unserved = dict(find_unserved(view, index))
    failed = {label: one.message for label, one in unserved.items() if one.state == "Failed"}
    if failed:
        texts = [f"{label}: {message or 'see the log of ingestion'}" for label, message in failed.items()]
        return Verdict("IndexReady", FALSE, "SyncFailed", shorten(texts, "; "))
    if unserved:
        return Verdict("IndexReady", FALSE, "Indexing", f"not indexed yet: {shorten([*unserved], ', ')}")
    return Verdict("IndexReady", TRUE, "AllServed", "every repository has a served commit")


def find_unserved(view: View, index: Index) -> Iterator[tuple[str, Repository | Ref]]:
    """Yield what is wanted and has no served commit, by its name, or name@ref for what is not the ref of a search."""
    reported = {one.name: one for one in index.repositories}
    for name in view.repositories:
        known = reported.get(name, Repository(name))
        if not known.commit:
            yield name, known
        refs = {one.ref: one for one in known.refs}
        wanted = [refs.get(ref, Ref(ref)) for ref in view.refs.get(name, ())]
        yield from ((f"{name}@{one.ref}", one) for one in wanted if not one.commit)


def shorten(texts: list[str], between: str) -> str:
    """Return the first of the texts, and how many more there are."""
    more = len(texts) - MOST_NAMES
    return between.join(texts[:MOST_NAMES]) + (f"{between}and {more} more" if more > 0 else "")


def judge_identity(index: Index) -> Verdict:
    """Tell whether the served index was built by the embedding model that the spec asks for."""
    if not index.identity:
        message = "the ingestion worker has not reached the embedding yet"
        return Verdict("IndexCompatible", UNKNOWN, "NoIdentity", message)
    changing = bool(index.served.identity) and index.served.identity != index.identity
    state = index.promotion.state if index.promotion.state in CHANGES else BUILDING if changing else ""
    if not state:
        message = "the index belongs to the embedding model that runs"
        return Verdict("IndexCompatible", TRUE, "SameIdentity", message)
    reason, text = CHANGES[state]
    old, figures = index.served.model or "the model before", measured(index.promotion)
    why = index.promotion.reason or "the index for the model of spec.embedding is worse"
    return Verdict("IndexCompatible", FALSE, reason, text.format(old=old, figures=figures, why=why))


def measured(promotion: Promotion) -> str:
    """Return what two indexes were compared at, in brackets; nothing where they were not."""
    if promotion.ndcg_change is None:
        return ""
    bound = "" if promotion.upper95 is None else f", at most {promotion.upper95:+.4f}"
    return f" (nDCG@10 {promotion.ndcg_change:+.4f}{bound}, {promotion.queries} queries)"
