"""A parser that dies or hangs costs one file its structure, and nothing else."""

import os
import signal
import threading
from multiprocessing import Pipe

import pytest
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
