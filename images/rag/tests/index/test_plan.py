"""The comparison behind a sync, for any two states of a repository."""

from dataclasses import replace

from coderag_rag.git.repository import TreeFile
from coderag_rag.ingestion.plan import plan_sync
from coderag_rag.ingestion.selection import select_files
from coderag_rag.ingestion.source import Source
from coderag_rag.store.manifest import Served
from coderag_rag.store.schema import Entry, HeadPayload
from hypothesis import given
from hypothesis import strategies as st

HEAD = HeadPayload("app", "main", "c" * 40, 1, 1, 1, 1, 1, "now", "i" * 64, [])
TREES = st.dictionaries(st.sampled_from([f"d{n}/f{n}.py" for n in range(6)]), st.sampled_from("abcdef"), max_size=6)


APP = Source("app", "main", None, refs=("main", "next"))


def served(repository, tree, ref="main"):
    return Served(
        replace(HEAD, repository=repository, ref=ref),
        tuple(Entry(path, blob, "python") for path, blob in tree.items()),
        dict.fromkeys(tree.values(), 1),
    )


def files(tree):
    return [TreeFile(path, blob, "100644", 10) for path, blob in tree.items()]


@given(TREES, TREES, TREES)
def test_every_blob_is_read_known_or_left_and_the_manifest_is_the_tree(before, now, other):
    plan = plan_sync(APP, files(now), [served("app", before), served("other", other)])
    in_index = set(before.values()) | set(other.values())
    assert set(plan.read) == set(now.values()) - in_index
    assert set(plan.known) == set(now.values()) & in_index
    assert set(plan.left) == set(before.values()) - set(now.values())
    assert {blob for blob, holders in plan.left.items() if holders} == set(plan.left) & set(other.values())
    entries = plan.entries(dict.fromkeys(plan.read, "python"))
    assert {(entry.path, entry.blob) for entry in entries} == set(now.items())


@given(TREES, TREES)
def test_the_same_tree_again_changes_nothing(tree, other):
    plan = plan_sync(APP, files(tree), [served("app", tree), served("other", other)])
    assert (plan.read, plan.moved, plan.joined, plan.left) == ((), {}, {}, {})


@given(TREES, TREES)
def test_content_of_another_repository_is_joined_and_never_read(now, other):
    plan = plan_sync(APP, files(now), [served("other", other)])
    assert set(plan.joined) == set(now.values()) & set(other.values())
    assert all(plan.repositories(blob) == ("app", "other") for blob in plan.joined)


def test_a_moved_file_is_moved_and_nothing_else():
    plan = plan_sync(APP, files({"new/b.py": "x"}), [served("app", {"old/a.py": "x"})])
    assert plan.moved == {"x": ("new/b.py",)}
    assert plan.read == ()
    assert plan.left == {}


def test_a_new_suffix_changes_the_language_in_the_manifest():
    plan = plan_sync(APP, files({"a.ts": "x", "b": "x"}), [served("app", {"a.py": "x"})])
    assert [(entry.path, entry.language) for entry in plan.entries({})] == [("a.ts", "typescript"), ("b", "python")]


def test_a_file_that_was_skipped_is_not_in_the_manifest():
    plan = plan_sync(APP, files({"a.py": "x", "b.py": "y"}), [])
    assert [entry.path for entry in plan.entries({"x": "python"})] == ["a.py"]


def test_links_submodules_and_unreadable_paths_are_not_read():
    selection = select_files(
        [
            TreeFile("link", "a", "120000", 3),
            TreeFile("lib", "b", "160000", 0),
            TreeFile("bad-\udcff", "c", "100644", 3),
            TreeFile("나.py", "d", "100755", 3),
        ]
    )
    assert dict(selection.paths_of) == {"d": ("나.py",)}
    assert [(one.path, one.reason.split(":")[0]) for one in selection.skipped] == [
        ("lib", "submodule"),
        ("bad-?", "the path is not UTF-8"),
    ]


@given(TREES, TREES, TREES)
def test_what_another_ref_holds_is_known_and_stays(before, now, sibling):
    plan = plan_sync(APP, files(now), [served("app", before), served("app", sibling, "next")])
    assert set(plan.known) == set(now.values()) & (set(before.values()) | set(sibling.values()))
    assert set(plan.left) == set(before.values()) - set(now.values()) - set(sibling.values())
    assert plan.joined == {}
    assert [head.ref for head in plan.siblings] == ["next"]


@given(TREES, TREES)
def test_a_ref_that_is_not_configured_goes_with_the_default_ref_and_not_before(gone, now):
    former = served("app", gone, "former")
    plan = plan_sync(APP, files(now), [former])
    assert set(plan.left) == set(gone.values()) - set(now.values())
    further = plan_sync(Source("app", "next", None, refs=("main", "next")), files(now), [former])
    assert further.left == {}
    assert [head.ref for head in further.siblings] == ["former"]


def test_content_of_which_nobody_counted_the_chunks_is_read_again():
    old = replace(served("app", {"a.py": "x"}), counts={})
    plan = plan_sync(APP, files({"a.py": "x"}), [old])
    assert (plan.read, plan.known, plan.left) == (("x",), {}, {})


def test_what_could_not_be_read_is_not_read_again_but_what_stopped_the_chunker_is_tried_three_times():
    rows = [
        {"path": "a.py", "reason": "binary content", "blob": "x", "causes": "binary"},
        {"path": "b.py", "reason": "took too long", "blob": "y", "tries": "2"},
        {"path": "c.py", "reason": "took too long", "blob": "z", "tries": "3"},
        {"path": "d.py", "reason": "submodule: add it"},
    ]
    before = Served(replace(HEAD, skipped=rows), ())
    plan = plan_sync(APP, files({"a.py": "x", "b.py": "y", "c.py": "z", "e.py": "w"}), [before])
    assert plan.read == ("y", "w")
    assert plan.avoided == {"x", "z"}
    assert (plan.tries("y"), plan.tries("w")) == (2, 0)
    assert plan.remembered["x"].causes == ("binary",)
