"""Commits become questions about the state before them, where their subject does not give the answer away."""

import subprocess

import pytest
from coderag_eval.mining.commits import CommitRule, HistoryUnreadable, mine_commits, names_a_file

BODY = "".join(f"line {number}\n" for number in range(20))


def git(folder, *arguments):
    identity = [
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
        "-c",
        "commit.gpgsign=false",
        "-c",
        "init.defaultBranch=main",
    ]
    run = subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return run.stdout.strip()


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    folder = tmp_path_factory.mktemp("repository")
    git(folder, "init", "-q")

    def commit(subject, **files):
        for name, text in files.items():
            path = folder / name.replace("__", "/").replace("_py", ".py").replace("_md", ".md")
            path.parent.mkdir(exist_ok=True)
            path.write_text(BODY + text)
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "-m", subject)
        return git(folder, "rev-parse", "HEAD")

    first = commit("Begin with everything there is", lanes_py="", app__pace_py="", docs_md="", tests__test_pace_py="")
    commit("Let bulk work wait for searches (#12)", lanes_py="a", tests__test_pace_py="a")
    commit("Give lanes.py a better name inside", lanes_py="b")
    commit("Explain what this is good for", docs_md="b")
    commit("Fix it", lanes_py="c")
    commit("Revert the change about bulk work", lanes_py="d")
    commit("Add a file that was never there", new_py="x")
    commit("let bulk work wait for searches", lanes_py="e")
    git(folder, "mv", "app/pace.py", "app/tempo.py")
    before = git(folder, "rev-parse", "HEAD")
    commit("Call it what musicians call it")
    git(folder, "checkout", "-q", "-b", "side", first)
    commit("Count what the side branch does", lanes_py="s")
    git(folder, "checkout", "-q", "main")
    git(folder, "merge", "-q", "-X", "ours", "--no-edit", "-m", "Join both lines of work now", "side")
    return folder, first, before


def test_only_subjects_that_do_not_tell_are_asked(repository):
    folder, first, before = repository
    questions = {one.query: one for one in mine_commits(folder, "app", 100)}
    assert set(questions) == {
        "let bulk work wait for searches",
        "Call it what musicians call it",
        "Count what the side branch does",
    }
    renamed = questions["Call it what musicians call it"]
    assert [(one.path, one.repository) for one in renamed.expected] == [("app/pace.py", "app")]
    assert renamed.commit == before
    assert questions["Count what the side branch does"].commit == first
    assert renamed.repositories == ("app",)


def test_the_newest_come_first_and_no_more_than_wanted(repository):
    assert len(mine_commits(repository[0], "app", 1)) == 1


def test_other_kinds_of_files_can_be_places(repository):
    queries = {one.query for one in mine_commits(repository[0], "app", 100, CommitRule(suffixes=(".md",)))}
    assert queries == {"Explain what this is good for"}


@pytest.mark.parametrize(
    ("subject", "named"),
    [
        ("Give ranking.toml a version", True),
        ("Weigh the ranking anew", True),
        ("Weigh hits anew", False),
        ("Split the query-class", True),
        ("Order the rankings", False),
    ],
)
def test_a_subject_that_names_a_file_is_told(subject, named):
    assert names_a_file(subject, ("src/ranking.toml", "src/query_class.py")) is named


def test_what_is_no_repository_is_named_without_its_path(tmp_path):
    with pytest.raises(HistoryUnreadable, match="git cannot read nothing"):
        mine_commits(tmp_path / "nothing", "app", 10)
