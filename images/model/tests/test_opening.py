"""A model is known by the headers of its files alone, on a volume or on a server, in one file or in several."""

import io

import pytest
from coderag_model import GgufError
from coderag_model.deadline import Deadline
from coderag_model.errors import FetchError
from coderag_model.measure import read_geometry
from coderag_model.opening import open_geometry, open_model
from coderag_model.ranged import PIECE, RangedFile
from coderag_model.source import Slice
from dense_gguf import Dense, file_of, split, stream_of
from faulty_site import Site as Server
from faulty_site import cut, endless, honest, serving, shifted, status, whole_file
from gguf_bytes import ARRAY, STRING, model
from hypothesis import given, settings
from hypothesis import strategies as st

MODEL = file_of()
LONG = file_of(tokenizer__ggml__tokens=(ARRAY, (STRING, ["token" * 10] * 40_000)))  # a header of 2.3 MB


@pytest.fixture
def server(site):
    site.content = MODEL
    return site


def fetch_geometry(server, waits, path="/m.gguf", token=None):
    return open_geometry(server.url + path, token, deadline=Deadline(600, sleep=waits.append), read=5.0)


def failure(server, waits, **how):
    with pytest.raises((FetchError, GgufError)) as caught:
        fetch_geometry(server, waits, **how)
    return caught.value


def test_near_and_far_are_the_same_model(server, waits, tmp_path):
    (tmp_path / "m.gguf").write_bytes(MODEL)
    near = open_geometry(str(tmp_path / "m.gguf"))
    assert near == fetch_geometry(server, waits) == read_geometry(stream_of())
    assert open_model(str(tmp_path / "m.gguf")).size == len(MODEL)


def test_only_the_header_is_transferred(server, waits):
    server.content = LONG + bytes(8 * PIECE)
    assert fetch_geometry(server, waits).layers == 3
    assert server.ranges() == [f"bytes={start}-{start + PIECE - 1}" for start in (0, PIECE, 2 * PIECE)]


@settings(max_examples=40, deadline=None)
@given(sizes=st.lists(st.integers(1, 100_000), min_size=1, max_size=60))
def test_pieces_of_any_size_are_the_file(sizes):
    class Memory:
        def slice(self, start, size, deadline):
            return Slice(LONG[start : start + size], len(LONG), None)

    file, found = RangedFile(Memory(), Deadline(60)), b""
    for size in sizes:
        found += file.read(size)
    assert LONG.startswith(found)
    assert len(found) > 0


def test_the_end_of_a_file_is_the_end(server, waits):
    server.content = MODEL[:200]
    assert failure(server, waits).reason == "Truncated"
    assert len(server.requests) == 1


def test_a_server_without_ranges_is_left_at_once(server, waits):
    server.steps = [endless]
    error = failure(server, waits)
    assert (error.reason, "ranges" in str(error), waits) == ("Unsupported", True, [])
    server.released.set()
    assert server.sent < 32 * PIECE


def test_a_whole_file_instead_of_a_range_is_refused_even_if_it_is_short(server, waits):
    server.steps = [whole_file]
    assert failure(server, waits).reason == "Unsupported"


@pytest.mark.parametrize(
    "place",
    [
        None,
        "bytes 0-9/*",
        "bytes 0-9",
        "bytes 5-1/1000",
        "bytes 0-99999999/1000",
        f"bytes 0-{PIECE}/{2 * PIECE}",
        f"bytes 0-{'9' * 5000}/{'9' * 5000}",
        "items 0-9/1000",
    ],
)
def test_a_range_that_was_not_asked_for_is_tried_again_and_then_refused(server, waits, place):
    server.steps = [status(206, b"0123456789", Content_Range=place)] * 9
    error = failure(server, waits)
    assert (error.reason, error.transient) == ("Truncated", True)
    assert len(server.requests) == 6
    assert len(waits) == 5


def test_a_shifted_range_is_not_taken(server, waits):
    server.steps = [shifted(1)]
    assert fetch_geometry(server, waits).layers == 3
    assert len(server.requests) == 2


def test_trouble_that_passes_is_waited_for(server, waits):
    server.steps = [status(503, Retry_After="7"), cut(40), status(429)]
    assert fetch_geometry(server, waits).layers == 3
    assert waits == [7.0, 2.0, 4.0]


def test_a_body_that_is_short_is_tried_again(server, waits):
    server.steps = [status(206, b"GGUF", Content_Range="bytes 0-9/1000")]
    assert fetch_geometry(server, waits).layers == 3


@pytest.mark.parametrize(
    ("code", "reason"), [(404, "NotFound"), (401, "Unauthorized"), (400, "Unreachable"), (416, "Truncated")]
)
def test_an_answer_that_stays_is_final(server, waits, code, reason):
    server.steps = [status(code)]
    error = failure(server, waits)
    assert (error.reason, error.transient, waits) == (reason, False, [])


def test_a_file_that_changes_in_between_is_noticed(server, waits):
    server.content = LONG

    def renew(handler, site):
        site.etag = '"two"'
        honest(handler, site)

    server.steps = [honest, renew]
    assert "changed" in str(failure(server, waits))


def test_the_token_stays_with_its_host(server, waits, other):
    other.content = MODEL
    other.url = other.url.replace("127.0.0.1", "localhost")
    server.steps = [status(302, Location=f"{other.url}/cdn?signature=s")]
    assert fetch_geometry(server, waits, token="t0ken").layers == 3
    assert [request.get("Authorization") for request in server.requests] == ["Bearer t0ken"]
    assert [request.get("Authorization") for request in other.requests] == [None]
    assert other.ranges() == [f"bytes=0-{PIECE - 1}"]


@pytest.mark.parametrize("step", [status(404), status(206), status(200), status(200, b"<html>")])
def test_no_error_repeats_the_query(server, waits, step):
    server.steps = [step] * 9
    server.url = server.url.replace("//", "//user:p4ssword@")
    error = failure(server, waits, path="/m.gguf?signature=s1gned#fr4gment", token="t0ken")
    for secret in ("p4ssword", "s1gned", "fr4gment", "t0ken"):
        assert secret not in str(error)


@pytest.mark.parametrize("address", ["http://[broken/m.gguf", "ftp://127.0.0.1/m.gguf", "http:///m.gguf"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(FetchError) as caught:
        open_geometry(address)
    assert (caught.value.reason, caught.value.transient) == ("Unreachable", False)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FetchError, match=r"missing\.gguf"):
        open_geometry(str(tmp_path / "missing.gguf"))


def test_a_model_that_is_not_modelled_has_a_header_all_the_same(tmp_path):
    (tmp_path / "m.gguf").write_bytes(file_of(Dense(architecture="mamba")))
    found = open_model(str(tmp_path / "m.gguf"))
    assert found.header.layers == 3
    assert isinstance(found.geometry, GgufError)
    with pytest.raises(GgufError, match="recurrent"):
        open_geometry(str(tmp_path / "m.gguf"))


@pytest.mark.parametrize("missing", [1, 500])
def test_a_file_shorter_than_its_tensors_is_truncated(tmp_path, missing):
    (tmp_path / "m.gguf").write_bytes(MODEL[:-missing])
    with pytest.raises(GgufError, match=r"m\.gguf.*need") as caught:
        open_geometry(str(tmp_path / "m.gguf"))
    assert caught.value.reason == "Truncated"


def test_tensors_that_do_not_follow_one_another_are_refused_and_summarised(tmp_path):
    (tmp_path / "m.gguf").write_bytes(model(general__alignment=(4, 2048)))
    found = open_model(str(tmp_path / "m.gguf"))
    assert found.header.tensor_count == 2
    assert "instead of" in str(found.geometry)


def put(folder, dense, count, name="m"):
    for number, content in enumerate(split(dense, count), start=1):
        (folder / f"{name}-{number:05}-of-{count:05}.gguf").write_bytes(content)
    return str(folder / f"{name}-00001-of-{count:05}.gguf")


@pytest.mark.parametrize("count", [2, 5])
def test_a_split_model_is_whole(tmp_path, count):
    found = open_model(put(tmp_path, Dense(), count))
    assert found.geometry == read_geometry(stream_of())
    assert found.header == open_model(whole_at(tmp_path)).header
    assert found.size == sum(path.stat().st_size for path in tmp_path.glob("m-*"))


def whole_at(folder):
    (folder / "whole.gguf").write_bytes(MODEL)
    return str(folder / "whole.gguf")


def test_the_parts_on_a_server_are_found_beside_the_first(waits):
    parts = dict(zip(("/d/m-00001-of-00002.gguf", "/d/m-00002-of-00002.gguf"), split(Dense(), 2), strict=True))

    class Parts(Server):
        @property
        def content(self):
            return parts[self.requests[-1]["path"].partition("?")[0]]

        @content.setter
        def content(self, value):
            pass

    with serving(Parts(b"")) as server:
        found = fetch_geometry(server, waits, path="/d/m-00001-of-00002.gguf?download=true")
    assert found == read_geometry(stream_of())
    assert [request["path"] for request in server.requests] == [f"{path}?download=true" for path in parts]


def test_a_missing_part_is_named(tmp_path):
    first = put(tmp_path, Dense(), 3)
    (tmp_path / "m-00002-of-00003.gguf").unlink()
    with pytest.raises(FetchError, match="m-00002-of-00003"):
        open_geometry(first)


def test_a_truncated_part_is_named(tmp_path):
    first = put(tmp_path, Dense(), 2)
    second = tmp_path / "m-00002-of-00002.gguf"
    second.write_bytes(second.read_bytes()[:-1])
    with pytest.raises(GgufError, match="m-00002-of-00002"):
        open_geometry(first)


@pytest.mark.parametrize("name", ["m-00002-of-00003.gguf", "m.gguf", "m-00001-of-00004.gguf", "m-00001-of-00003.bin"])
def test_a_split_model_must_be_named_by_its_first_part(tmp_path, name):
    put(tmp_path, Dense(), 3)
    if not (tmp_path / name).exists():
        (tmp_path / "m-00001-of-00003.gguf").rename(tmp_path / name)
    with pytest.raises(GgufError, match="-00001-of-") as caught:
        open_geometry(str(tmp_path / name))
    assert caught.value.reason in {"Unsupported", "NotGguf"}


def refused(*parts):
    with pytest.raises(GgufError) as caught:
        read_geometry(*map(io.BytesIO, parts))
    return str(caught.value)


def test_parts_that_are_not_one_model_are_refused():
    one, two, three = split(Dense(), 3)
    other = list(split(Dense(layers=4), 3))
    assert "3 files, there are 2" in refused(one, two)
    assert "calls itself number 3" in refused(one, three, two)
    assert "calls itself number 0" in refused(one, two, MODEL)
    assert "should have" in refused(one, two, other[2])
    assert "1 files, there are 2" in refused(MODEL, MODEL)
    assert "twice" in refused(one, two.replace(b"blk.1.attn_k.", b"blk.0.attn_q."), three)


def test_a_count_of_files_that_is_no_number_is_refused():
    assert "split.count" in refused(file_of(split__count=(5, -7)))


def test_more_files_than_anybody_has_are_refused():
    assert "more than 512" in refused(file_of(split__count=(2, 60_000)))


def test_nothing_is_looked_for_on_the_way_to_a_problem(tmp_path):
    (tmp_path / "m.gguf").write_bytes(next(split(Dense(), 2)))
    found = open_model(str(tmp_path / "m.gguf"))
    assert "cannot be found" in str(found.geometry)
    assert found.header.architecture == "llama"
