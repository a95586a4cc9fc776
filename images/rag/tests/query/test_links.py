"""Links to the host of a repository."""

import pytest
from coderag_rag.api.settings import read_remotes
from coderag_rag.env import InvalidSetting
from coderag_rag.query.links import HostKind, Links, Remote
from hypothesis import given
from hypothesis import strategies as st


def link(url, kind=None, path="src/a b#c.py"):
    return Links({"app": Remote(url, kind)}).line("app", "c0ffee", path, 3, 9)


GITHUB = "https://github.com/own/app/blob/c0ffee/src/a%20b%23c.py#L3-L9"


FILE = "src/a%20b%23c.py"
SERVER = f"repos/app/browse/{FILE}?at=c0ffee#3-9"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://github.com/own/app", GITHUB),
        ("https://github.com/own/app.git", GITHUB),
        ("https://user:hunter2@github.com/own/app.git?token=hunter2#x", GITHUB),
        ("git@github.com:own/app.git", GITHUB),
        ("ssh://git@github.com:22/own/app.git", GITHUB),
        ("http://github.corp:80/own/app", f"http://github.corp:80/own/app/blob/c0ffee/{FILE}#L3-L9"),
        ("https://gitlab.com/group/sub/app.git", f"https://gitlab.com/group/sub/app/-/blob/c0ffee/{FILE}#L3-9"),
        ("https://codeberg.org/own/app", f"https://codeberg.org/own/app/src/commit/c0ffee/{FILE}#L3-L9"),
        ("https://bitbucket.org/own/app", f"https://bitbucket.org/own/app/src/c0ffee/{FILE}#lines-3:9"),
        ("https://bitbucket.corp/scm/prj/app.git", f"https://bitbucket.corp/projects/PRJ/{SERVER}"),
        ("https://bitbucket.corp/git/scm/prj/app.git", f"https://bitbucket.corp/git/projects/PRJ/{SERVER}"),
        ("ssh://git@stash.corp:7999/~me/app.git", f"https://stash.corp/users/me/{SERVER}"),
    ],
)
def test_each_kind_of_host_has_its_form(url, expected):
    assert link(url) == expected


def test_the_kind_can_be_told_where_the_name_does_not():
    assert link("https://code.corp/own/app") is None
    told = link("https://code.corp/own/app", HostKind.GITEA, "a.py")
    assert told == "https://code.corp/own/app/src/commit/c0ffee/a.py#L3-L9"


@pytest.mark.parametrize(
    "url",
    [
        "file:///srv/github.com/x",
        "https://github.com",
        "https://github.com:x/own/app",
        "javascript:alert(1)//github.com",
        "https://git hub.com/a",
        "https://[github.com/a",
        "notgithub.example:a/b",
        "",
    ],
)
def test_where_no_link_can_be_made_there_is_none(url):
    assert link(url) is None


@given(st.text("ab:/@?#.%", max_size=30), st.text("xyz:/@", max_size=12))
def test_what_stands_before_the_at_sign_is_never_shown(rest, secret):
    made = link(f"https://hunter2{secret}@github.com/{rest}")
    assert made is None or "hunter2" not in made


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "REPOSITORY_URLS: is not JSON"),
        ("[]", "REPOSITORY_URLS: is not an object"),
        ('{"app": 1}', r"REPOSITORY_URLS\[app\]: is neither"),
        ('{"app": {"url": "https://u:hunter2@h/a", "hots": "gitea"}}', r"REPOSITORY_URLS\[app\]: is neither"),
        ('{"app": {"url": "https://u:hunter2@h/a", "host": "svn"}}', "host: is not a known kind"),
    ],
)
def test_a_wrong_setting_is_named_without_its_value(text, message):
    with pytest.raises(InvalidSetting, match=message) as caught:
        read_remotes(text)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "environment",
    [{"REPOSITORY_URLS": '{"app": "https://u:hunter2@github.com/own/app", "web": {"url": "x", "host": "gitea"}}'}],
    indirect=True,
)
async def test_hits_and_citations_carry_the_link(service, served):
    hits = (await service.http.post("/v1/search", json={"query": "WorkQueue.retry"})).json()["hits"]
    commit = f"{1:040x}"
    expected = f"https://github.com/own/app/blob/{commit}/operator/engine/workqueue.py#L1-L4"
    assert hits[0]["link"] == expected
    answer = (await service.http.post("/v1/ask", json={"question": "WorkQueue.retry"})).json()
    assert [item["link"] for item in answer["citations"]] == [expected]
    assert answer["sources"][0]["link"] == expected


async def test_without_a_known_url_there_is_no_link(service, served):
    hits = (await service.http.post("/v1/search", json={"query": "WorkQueue.retry"})).json()["hits"]
    assert {hit["link"] for hit in hits} == {None}
