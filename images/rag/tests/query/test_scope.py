"""Filters: on every leg, and again on every place."""

import pytest
from coderag_rag.query.access import EVERYTHING, Permit
from coderag_rag.query.manifest import Manifest, Snapshot, UnknownRef
from coderag_rag.query.reader import IndexReader
from coderag_rag.query.scope import Filters, Scope
from coderag_rag.store.schema import Entry, HeadPayload
from hypothesis import given
from hypothesis import strategies as st


def manifest(repository, ref, *files, default=True):
    head = HeadPayload(repository, ref, f"c-{ref}", 1, 1, 1, len(files), 1, "t", "identity", [], default=default)
    return Manifest.build(head, [Entry(path, f"{repository}:{path}", "python") for path in files])


SERVED = Snapshot.of(
    [
        manifest("app", "main", "a.py", "src/b.py"),
        manifest("app", "next", "a.py", "src/c.py"),
        manifest("web", "main", "w.py"),
    ]
)
QUERY = "retry operator/plan.py in WorkQueue.retry"


async def test_every_leg_is_filtered_the_same(service, served, monkeypatch):
    all_nearest, of_blobs, seen = IndexReader.all_nearest, IndexReader.of_blobs, []

    async def spy_nearest(reader, legs):
        seen.extend(leg.where for leg in legs)
        return await all_nearest(reader, legs)

    async def spy_of_blobs(reader, blobs, where):
        seen.append(where)
        return await of_blobs(reader, blobs, where)

    monkeypatch.setattr(IndexReader, "all_nearest", spy_nearest)
    monkeypatch.setattr(IndexReader, "of_blobs", spy_of_blobs)
    body = {"query": QUERY, "repositories": ["app"], "languages": ["Python"], "paths": ["operator"], "refs": ["main"]}
    assert (await service.http.post("/v1/search", json=body)).status_code == 200
    assert len(seen) == 4
    shared = [str(condition) for condition in seen[0].must]
    assert {one.key for one in seen[0].must} == {"kind", "repositories", "language", "blob"}
    assert all(set(shared) <= {str(condition) for condition in where.must} for where in seen)


def test_a_ref_narrows_to_its_files():
    scope = Scope.build(SERVED, Filters(refs=["next"]))
    assert scope.snapshot.names == {"app"}
    assert [place.ref for place in scope.places("app:a.py")] == ["next"]
    assert not scope.places("app:src/b.py")
    assert scope.conditions[-1].match.any == ["app:a.py", "app:src/c.py"]


def test_a_further_ref_is_searched_only_when_it_is_named():
    served = Snapshot.of([manifest("app", "main", "a.py"), manifest("app", "old", "a.py", "gone.py", default=False)])
    usual, named = Scope.build(served, Filters()), Scope.build(served, Filters(refs=["old"]))
    assert [place.ref for place in usual.places("app:a.py")] == ["main"]
    assert not usual.places("app:gone.py")
    assert usual.conditions[-1].match.any == ["app:a.py"]
    assert [place.ref for place in named.places("app:gone.py")] == ["old"]


def test_a_ref_that_is_served_nowhere_in_view_is_an_error():
    with pytest.raises(UnknownRef, match="'nope'") as caught:
        Scope.build(SERVED, Filters(refs=["main", "nope"], repositories=["web"]))
    assert caught.value.known == ["main"]


def test_with_too_many_wanted_files_the_others_are_left_out_by_name(monkeypatch):
    monkeypatch.setattr("coderag_rag.query.scope._MOST_BLOBS", 2)
    scope = Scope.build(SERVED, Filters(paths=["*.py"], repositories=["app"], refs=["main", "next"]))
    assert scope.conditions[-1].must_not[0].match.any == []
    scope = Scope.build(SERVED, Filters(paths=["src", "w.py", "a.py"]))
    assert scope.conditions[-1].must_not[0].match.any == []
    monkeypatch.setattr("coderag_rag.query.scope._MOST_BLOBS", 1)
    scope = Scope.build(SERVED, Filters(paths=["src", "w.py"]))
    assert scope.conditions[-1].must_not[0].match.any == ["app:a.py"]


@given(st.lists(st.sampled_from(["main", "next"]), unique=True), st.lists(st.sampled_from(["a.py", "src", "w.py"])))
def test_the_filter_never_leaves_out_what_may_be_seen(refs, paths):
    scope = Scope.build(SERVED, Filters(refs=refs, paths=paths))
    visible = {blob for _, blob in SERVED.paths() if scope.places(blob)}
    listed = [set(one.match.any) for one in scope.conditions if getattr(one, "key", "") == "blob"]
    assert all(visible <= blobs for blobs in listed)


@pytest.mark.parametrize(
    ("filters", "permit", "whole"),
    [
        (Filters(), EVERYTHING, True),
        (Filters(repositories=["app"]), EVERYTHING, False),
        (Filters(languages=["python"]), EVERYTHING, False),
        (Filters(paths=["src"]), EVERYTHING, False),
        (Filters(refs=["main"]), EVERYTHING, False),
        (Filters(), Permit.only(["app"]), False),
    ],
)
def test_a_scope_knows_whether_it_narrows_anything(filters, permit, whole):
    assert Scope.build(SERVED, filters, permit).whole is whole


def test_a_ref_that_is_searched_only_by_name_narrows_all_others():
    served = Snapshot.of([manifest("app", "main", "a.py"), manifest("app", "old", "b.py", default=False)])
    assert not Scope.build(served, Filters()).whole


async def test_an_unknown_ref_is_404_and_names_the_known_ones(service, served):
    answer = await service.http.post("/v1/search", json={"query": "retry", "refs": ["nope"]})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (404, "ref_not_found", "refs")
    assert "main" in error["hint"]
