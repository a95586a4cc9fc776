"""Manifests as the API shows them."""

from coderag_rag.api.models import RepositoryDetails, ServedRepository
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
