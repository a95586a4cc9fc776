"""Environments are made once for each lock, however many clones there are."""

import os

import pytest

from e2e.venv import ensure


@pytest.fixture
def maker(tmp_path, monkeypatch):
    """Makes an environment without installing anything, and remembers where."""
    monkeypatch.setenv("CODERAG_CACHE", str(tmp_path / "cache"))
    made = []

    def make(folder, _lock):
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "python").touch()
        made.append(folder)

    make.made = made
    return make


def write_lock(folder, text="one==1"):
    folder.mkdir(exist_ok=True)
    (folder / "lock.txt").write_text(text)
    return folder / "lock.txt"


def test_two_clones_share_the_environment_of_the_same_lock(tmp_path, maker):
    clones = [tmp_path / "first", tmp_path / "second"]
    pythons = [ensure(clone / ".venv", write_lock(clone), maker) for clone in clones]
    assert pythons == [clone / ".venv" / "bin" / "python" for clone in clones]
    assert pythons[0].samefile(pythons[1])
    assert len(maker.made) == 1


def test_another_lock_is_another_environment_and_the_one_before_stays_for_others(tmp_path, maker):
    first, second = tmp_path / "first", tmp_path / "second"
    for clone in (first, second):
        ensure(clone / ".venv", write_lock(clone), maker)
    ensure(first / ".venv", write_lock(first, "two==2"), maker)
    assert len(maker.made) == 2
    assert [(clone / ".venv").resolve() for clone in (first, second)] == maker.made[::-1]


def test_one_whose_making_was_interrupted_is_made_anew(tmp_path, maker):
    def broken(folder, lock):
        maker(folder, lock)
        raise KeyboardInterrupt

    clone, lock = tmp_path / "clone", write_lock(tmp_path / "clone")
    with pytest.raises(KeyboardInterrupt):
        ensure(clone / ".venv", lock, broken)
    assert not (clone / ".venv").exists()
    ensure(clone / ".venv", lock, maker)
    assert len(maker.made) == 2


def test_a_folder_that_stands_in_the_way_makes_room_for_the_link(tmp_path, maker):
    clone, lock = tmp_path / "clone", write_lock(tmp_path / "clone")
    (clone / ".venv" / "lib").mkdir(parents=True)
    ensure(clone / ".venv", lock, maker)
    assert (clone / ".venv").resolve() == maker.made[0]


def test_a_link_to_what_is_gone_is_made_good(tmp_path, maker):
    clone, lock = tmp_path / "clone", write_lock(tmp_path / "clone")
    (clone / ".venv").symlink_to(tmp_path / "nowhere")
    assert ensure(clone / ".venv", lock, maker).exists()


def test_the_stamp_is_new_after_each_look_for_the_sake_of_make(tmp_path, maker):
    clone, lock = tmp_path / "clone", write_lock(tmp_path / "clone")
    ensure(clone / ".venv", lock, maker)
    stamp = clone / ".venv" / ".ready"
    os.utime(stamp, (0, 0))
    ensure(clone / ".venv", lock, maker)
    assert stamp.stat().st_mtime >= lock.stat().st_mtime
    assert len(maker.made) == 1
