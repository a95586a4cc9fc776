"""Manifests, hits and citations as the API shows them."""

from coderag_rag.answer.citations import Citation as Cited
from coderag_rag.api.models import Citation, Hit, RepositoryDetails, ServedRepository
from coderag_rag.query.hits import Hit as Found
from coderag_rag.query.links import Links
from coderag_rag.query.manifest import Snapshot


def served_repositories(snapshot: Snapshot) -> list[ServedRepository]:
    """Return the repositories of a snapshot with the commit that is served."""
    heads = [manifest.head for manifest in snapshot.manifests]
    return [
        ServedRepository(name=head.repository, ref=head.ref, commit=head.commit, indexed_at=head.indexed_at)
        for head in heads
    ]


def repository_details(snapshot: Snapshot) -> list[RepositoryDetails]:
    """Return the repositories of a snapshot with their sizes."""
    heads = [manifest.head for manifest in snapshot.manifests]
    return [
        RepositoryDetails(
            name=head.repository,
            ref=head.ref,
            commit=head.commit,
            indexed_at=head.indexed_at,
            generation=head.generation,
            files=head.files,
            chunks=head.chunks,
            skipped=len(head.skipped),
        )
        for head in heads
    ]


def shown_hit(hit: Found, links: Links) -> Hit:
    """Return a hit with the link to its lines."""
    shown = Hit.model_validate(hit)
    shown.link = links.line(hit.repository, hit.commit, hit.path, hit.start_line, hit.end_line)
    return shown


def shown_citation(cited: Cited, links: Links) -> Citation:
    """Return a citation with the link to its lines."""
    shown = Citation.model_validate(cited)
    shown.link = links.line(cited.repository, cited.commit, cited.path, cited.start_line, cited.end_line)
    return shown
