"""A model arrives whole and verified, or not at all, whatever the server does."""

import errno
import fcntl
import os

import pytest
from coderag_model.deadline import Deadline
from coderag_model.errors import FetchError, volume_error
from coderag_model.part import Part
from coderag_model.retries import ATTEMPTS
from faulty_site import cut, hang, honest, status, without_length
from fetcher import Fetcher


def failure(fetcher, **options) -> FetchError:
    with pytest.raises(FetchError) as caught:
        fetcher(**options)
    return caught.value


def test_a_file_arrives_verified_under_the_name_of_its_digest(fetcher):
    found = fetcher()
    assert fetcher.is_placed()
    assert (found.path, found.model.size, found.sha256) == (fetcher.target, len(fetcher.site.content), fetcher.sha256)
    assert found.model.header.architecture == "llama"
    assert fetcher.target.stat().st_mode & 0o444 == 0o444


def test_a_file_that_is_there_is_not_asked_for_again(fetcher):
    fetcher()
    fetcher.site.requests.clear()
    fetcher()
    assert fetcher.site.requests == []


def test_a_file_damaged_on_the_volume_is_fetched_again(fetcher):
    fetcher.target.write_bytes(b"GGUF, but damaged")
    fetcher()
    assert fetcher.is_placed()


def test_a_cut_transfer_is_resumed_where_it_ended(fetcher):
    fetcher.site.steps = [cut(1000), cut(2000)]
    fetcher()
    assert fetcher.site.ranges() == [None, "bytes=1000-", "bytes=2000-"]
    assert [request.get("If-Range") for request in fetcher.site.requests] == [None, '"one"', '"one"']
    assert fetcher.is_placed()


def test_a_killed_fetch_is_resumed_by_the_next_one(fetcher):
    fetcher.part.write_bytes(fetcher.site.content[:1500])
    fetcher()
    assert fetcher.site.ranges() == ["bytes=1500-"]
    assert fetcher.is_placed()


def test_a_server_without_ranges_is_read_from_the_start(fetcher):
    fetcher.part.write_bytes(fetcher.site.content[:1500])
    fetcher.site.steps = [without_length]
    fetcher()
    assert fetcher.is_placed()


def test_a_changed_file_is_read_from_the_start(fetcher):
    def changed(handler, site):
        site.etag = '"two"'
        honest(handler, site)

    fetcher.site.steps = [cut(1000), changed]
    fetcher()
    assert fetcher.is_placed()


def test_a_prefix_of_another_file_is_found_out_and_dropped(fetcher):
    fetcher.part.write_bytes(b"GGUF" + b"x" * 1496)
    fetcher()
    assert fetcher.site.ranges() == ["bytes=1500-", None]
    assert fetcher.is_placed()


@pytest.mark.parametrize("junk", [b"<html>", b"GG?"])
def test_a_prefix_that_is_no_model_is_dropped_at_once(fetcher, junk):
    fetcher.part.write_bytes(junk)
    fetcher()
    assert fetcher.site.ranges() == [None]


def test_a_prefix_longer_than_the_file_is_dropped(fetcher):
    fetcher.part.write_bytes(fetcher.site.content + b"more")
    fetcher()
    assert fetcher.is_placed()


def test_a_range_that_was_not_asked_for_is_not_believed(fetcher):
    fetcher.site.steps = [cut(1000), lambda handler, site: honest(handler, site, shift=5)]
    fetcher()
    assert fetcher.site.ranges() == [None, "bytes=1000-", None]
    assert fetcher.is_placed()


@pytest.mark.parametrize("etag", ['W/"weak"', None])
def test_a_weak_etag_does_not_guard_a_resume(fetcher, etag):
    fetcher.site.etag = etag
    fetcher.site.steps = [cut(1000)]
    fetcher()
    assert fetcher.site.requests[1].get("If-Range") is None
    assert fetcher.is_placed()


def test_the_etag_of_another_address_does_not_guard_a_resume(fetcher):
    fetcher.part.write_bytes(fetcher.site.content[:1000])
    notes = fetcher.folder / f"{fetcher.part.name}.etag"
    for text in ('{"source": "elsewhere", "etag": "x"}', "[]", "{"):
        notes.write_text(text)
        with fetcher.part.open("r+b") as file:
            assert Part(fetcher.part, file).etag("here") is None
    fetcher()
    assert fetcher.site.requests[0].get("If-Range") is None


def test_wrong_bytes_are_a_final_checksum_mismatch_and_leave_nothing(fetcher):
    fetcher.site.content = fetcher.site.content[:-1] + b"?"
    error = failure(fetcher)
    assert (error.reason, error.transient) == ("ChecksumMismatch", False)
    assert fetcher.sha256 in str(error)
    assert sorted(path.suffix for path in fetcher.folder.iterdir()) == [".lock"]


def test_a_web_page_fails_fast_as_no_model(fetcher):
    fetcher.site.steps = [status(200, b"<html>sign in</html>", Content_Type="text/html")]
    error = failure(fetcher)
    assert (error.reason, error.transient) == ("NotGguf", False)
    assert "text/html" in str(error)
    assert not fetcher.part.exists()


def test_the_right_bytes_of_no_model_are_not_placed(site, tmp_path, waits):
    site.content = b"GGUF" + b"\1" * 100
    fetcher = Fetcher(site, tmp_path, waits)
    assert failure(fetcher).reason == "NotGguf"
    assert not fetcher.target.exists()
    assert not fetcher.part.exists()


@pytest.mark.parametrize(
    ("code", "reason", "transient"),
    [
        (401, "Unauthorized", False),
        (403, "Unauthorized", False),
        (404, "NotFound", False),
        (410, "NotFound", False),
        (400, "Unreachable", False),
        (304, "Unreachable", False),
    ],
)
def test_an_answer_that_stays_the_same_is_final(fetcher, code, reason, transient):
    fetcher.site.steps = [status(code)]
    error = failure(fetcher)
    assert (error.reason, error.transient) == (reason, transient)
    assert len(fetcher.site.requests) == 1


def test_a_server_in_trouble_is_asked_again_when_it_says(fetcher):
    fetcher.site.steps = [status(503, Retry_After="7"), status(429, Retry_After="soon"), status(500)]
    fetcher()
    assert fetcher.is_placed()
    assert fetcher.waits == [7.0, 2.0, 4.0]


def test_a_server_that_stays_in_trouble_is_given_up_for_now(fetcher):
    fetcher.site.steps = [status(503)] * 50
    error = failure(fetcher)
    assert (error.reason, error.transient) == ("Unreachable", True)
    assert len(fetcher.site.requests) == ATTEMPTS


def test_a_silent_server_is_left_and_what_came_is_kept(fetcher):
    fetcher.site.steps = [hang]
    fetcher(read=0.2)
    assert fetcher.site.ranges() == [None, "bytes=40-"]
    assert fetcher.is_placed()


def test_always_cut_at_the_same_place_is_truncated_and_keeps_the_part(fetcher):
    fetcher.site.steps = [cut(1000)] * 50
    error = failure(fetcher)
    assert (error.reason, error.transient) == ("Truncated", True)
    assert fetcher.part.stat().st_size == 1000


def test_nobody_listening_is_unreachable(fetcher):
    error = failure(fetcher, url="http://127.0.0.1:9/m.gguf")
    assert (error.reason, error.transient) == ("Unreachable", True)


@pytest.mark.parametrize("location", ["ftp://127.0.0.1/m", "http://host:port/m", "/m.gguf"])
def test_a_redirect_to_nowhere_is_final(fetcher, location):
    fetcher.site.steps = [status(302, Location=location)] * 20
    error = failure(fetcher)
    assert (error.reason, error.transient) == ("Unreachable", False)


def test_the_token_goes_to_its_host_and_not_where_that_redirects(fetcher, other):
    other.url = other.url.replace("127.0.0.1", "localhost")
    fetcher.site.steps = [cut(1000), status(302, Location=f"{other.url}/cdn?signature=s")]
    fetcher(token="t0ken")
    assert [request.get("Authorization") for request in fetcher.site.requests] == ["Bearer t0ken"] * 2
    assert [request.get("Authorization") for request in other.requests] == [None]
    assert other.ranges() == ["bytes=1000-"]
    assert fetcher.is_placed()


def test_a_volume_without_room_is_noticed_before_the_download(fetcher, monkeypatch):
    small = type("Free", (), {"f_bavail": 1, "f_frsize": 512})
    monkeypatch.setattr("coderag_model.part.os.statvfs", lambda path: small)
    error = failure(fetcher)
    assert (error.reason, error.transient) == ("NoSpace", True)
    assert str(len(fetcher.site.content)) in str(error)


def test_a_volume_that_fills_up_gives_its_space_back(fetcher, monkeypatch):
    def full(part, block):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Part, "write", full)
    assert failure(fetcher).reason == "NoSpace"
    assert not fetcher.part.exists()


@pytest.mark.parametrize(
    ("number", "reason", "transient"),
    [(errno.ENOENT, "NotFound", False), (errno.EACCES, "VolumeError", True), (errno.EDQUOT, "NoSpace", True)],
)
def test_a_failed_file_operation_has_a_reason(number, reason, transient):
    error = volume_error(OSError(number, os.strerror(number)), "reading")
    assert (error.reason, error.transient) == (reason, transient)


def test_a_folder_that_is_not_there_is_named(fetcher, tmp_path):
    fetcher.folder = tmp_path / "missing"
    assert "missing" in str(failure(fetcher))


def test_a_second_fetch_waits_for_the_first_and_uses_its_file(fetcher):
    lock = (fetcher.folder / f"{fetcher.sha256}.gguf.lock").open("a")
    fcntl.flock(lock, fcntl.LOCK_EX)

    def release(seconds):
        fetcher.target.write_bytes(fetcher.site.content)
        lock.close()

    fetcher(deadline=Deadline(60, sleep=release))
    assert fetcher.site.requests == []


def test_everything_ends_at_the_deadline(fetcher):
    clock = iter(range(1000))
    fetcher.site.steps = [status(503)] * 50
    error = failure(fetcher, deadline=Deadline(3, now=lambda: float(next(clock)), sleep=lambda seconds: None))
    assert (error.reason, error.transient) == ("Unreachable", True)
    assert "3 s" in str(error)
