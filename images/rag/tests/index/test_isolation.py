"""A parser that dies or hangs costs one file its structure, and nothing else."""

import io
import os
import resource
import signal
import sys
import threading
from multiprocessing import Pipe

import pytest
from coderag_rag.chunking.__main__ import main
from coderag_rag.chunking.isolation import Isolated, work


def prepare(data, paths):
    if data == b"die":
        os.kill(os.getpid(), signal.SIGKILL)
    if data == b"hang":
        signal.pause()
    while data == b"turn":
        pass
    return b"parsed " + data + str(os.getpid()).encode()


def by_lines(data, paths, note):
    return f"{note.cause} {paths[0]}".encode()


@pytest.fixture
def isolated():
    made = Isolated(prepare, by_lines, cpu=0.2, wall=1.5)
    yield made
    made.close()


def test_documents_are_prepared_in_another_process(isolated):
    first, second = isolated(b"a", ["x"]), isolated(b"a", ["y"])
    assert first == second
    assert first.startswith(b"parsed a")
    assert not first.endswith(str(os.getpid()).encode())


@pytest.mark.parametrize(
    ("data", "answer"), [(b"die", b"parser-died x"), (b"hang", b"timeout x"), (b"turn", b"timeout x")]
)
def test_a_lost_parser_is_replaced_and_its_file_split_by_lines(isolated, data, answer):
    assert isolated(data, ["x"]) == answer
    assert isolated(b"a", ["x"]).startswith(b"parsed a")


def test_nothing_is_left_when_it_is_closed(isolated):
    child = int(isolated(b"", ["x"]).split()[1])
    isolated.close()
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_the_copy_ends_with_its_owner():
    ours, theirs = Pipe()
    working = threading.Thread(target=work, args=(theirs, prepare))
    working.start()
    ours.send(["x"])
    ours.send_bytes(b"a")
    assert ours.recv_bytes().startswith(b"parsed a")
    ours.close()
    working.join(timeout=30)
    assert not working.is_alive()


def test_the_copy_leaves_without_touching_what_it_inherited(monkeypatch):
    def leave(code):
        raise SystemExit(code)

    monkeypatch.setattr(os, "fork", lambda: 0)
    monkeypatch.setattr(os, "_exit", leave)
    with pytest.raises(SystemExit) as left:
        Isolated(prepare, by_lines)(b"a", ["x"])
    assert left.value.code == 0


def test_nothing_is_ended_that_was_never_started():
    assert Isolated(prepare, by_lines).close() == 0


def test_the_process_bounds_its_memory_and_ends_with_its_input(monkeypatch):
    limits = {}
    monkeypatch.setattr("resource.setrlimit", lambda kind, limit: limits.update({kind: limit}))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"paths": ["a.py"], "size": 6}\nx = 1\n')))
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO()))
    main()
    assert limits[resource.RLIMIT_AS] == (2 * 1024**3, 2 * 1024**3)
    sys.stdout.seek(0)
    assert sys.stdout.readline() == "ready\n"
    assert '"chunker": "ast"' in sys.stdout.read()
