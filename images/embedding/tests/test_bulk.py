"""Bulk texts in a process of their own: the same vectors, and whatever becomes of that process."""

import gc
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from coderag_embedding import bulk as bulks
from coderag_embedding.bulk import Bulk, BulkLostError, BulkProcess
from coderag_embedding.bulk_process import BULK_NICENESS
from coderag_embedding.jobs import EmbedJob
from coderag_embedding.manifest import ModelFile

HERE = Path(__file__).parent


@pytest.fixture
def process(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), str(HERE.parent)]))
    process = BulkProcess([sys.executable, str(HERE / "bulk_child.py")], 2)
    yield process
    process.close()


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_vectors_are_those_of_the_model_itself(process, model_factory):
    texts = ["alpha beta", "gamma", "query: alpha " * 9]
    expected = [model_factory().embed(text) for text in texts]
    found = process.embed(texts)
    assert [one.vector.tolist() for one in found] == [one.vector.tolist() for one in expected]
    assert [(one.tokens, one.truncated) for one in found] == [(one.tokens, one.truncated) for one in expected]


def test_a_bad_text_is_one_texts_trouble(process):
    good, bad, other = process.embed(["alpha", "break", "beta"])
    assert isinstance(bad, RuntimeError)
    assert "KeyError: 'break'" in str(bad)
    assert (good.tokens, other.tokens) == (3, 3)


@pytest.mark.skipif(sys.platform != "linux", reason="niceness belongs to a thread on Linux only")
def test_it_steps_back_and_its_service_does_not(process):
    before = os.getpriority(os.PRIO_PROCESS, 0)
    assert process.embed(["niceness"])[0].tokens == max(before, BULK_NICENESS)
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


def test_one_that_was_killed_is_started_again_and_nobody_notices(process):
    process.embed(["alpha"])
    first = process.pid
    os.kill(first, 9)
    assert process.embed(["beta"])[0].tokens == 3
    assert process.pid != first


def test_texts_that_end_it_twice_are_given_up(process):
    with pytest.raises(BulkLostError):
        process.embed(["die"])
    assert process.pid is None
    assert process.embed(["alpha"])[0].tokens == 3


def test_as_many_ask_at_once_as_there_are_threads_and_others_wait(process):
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(process.embed, [[word] * n for n, word in enumerate(["alpha", "beta", "gamma"] * 8, 1)]))
    assert [len(one) for one in found] == list(range(1, 25))
    assert len({tuple(one[0].vector) for one in found}) == 3


def test_closing_ends_it(process):
    process.embed(["alpha"])
    pid = process.pid
    process.close()
    process.close()
    assert gone(pid)


@pytest.fixture
def bulk(monkeypatch):
    """Batches of models whose folder the odd child stands for."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), str(HERE.parent)]))
    usual = BulkProcess.__init__

    def odd(self, _command, threads):
        usual(self, [sys.executable, str(HERE / "bulk_child.py")], threads)

    monkeypatch.setattr(BulkProcess, "__init__", odd)
    made = Bulk(2, largest_twice=10)
    yield made
    made.close()


@pytest.fixture
def stored(tmp_path, model_factory):
    """A model whose weights have so many bytes."""

    def make(size):
        (tmp_path / "int8.onnx").write_bytes(b"x" * size)
        model = model_factory(precisions={"int8": ModelFile(file="int8.onnx", sha256="0" * 64)})
        model.folder = tmp_path
        return model

    return make


def vectors(bulk, *jobs):
    return [one.vector.tolist() for one in bulk.run(jobs)]


def test_each_model_has_a_process_that_ends_with_it(bulk, stored):
    old, new = stored(5), stored(5)
    assert vectors(bulk, EmbedJob(old, "alpha", "beta "), EmbedJob(new, "beta", "")) == [[0, 1, 1, 0], [0, 0, 1, 0]]
    first, second = bulk.pids
    del old
    gc.collect()
    assert gone(first)
    assert bulk.pids == [second]


def test_a_model_that_is_too_large_to_be_there_twice_stays_in_this_process(bulk, stored, model_factory):
    assert vectors(bulk, EmbedJob(stored(11), "alpha", "")) == [[0, 1, 0, 0]]
    assert vectors(bulk, EmbedJob(model_factory(), "beta", "")) == [[0, 0, 1, 0]]
    assert bulk.pids == []


def test_weights_beside_the_graph_count(bulk, stored, tmp_path):
    (tmp_path / "int8.onnx_data").write_bytes(b"x" * 9)
    assert vectors(bulk, EmbedJob(stored(2), "alpha", "")) == [[0, 1, 0, 0]]
    assert bulk.pids == []


async def test_a_lost_batch_is_an_answer_that_says_when_to_try_again(client, monkeypatch):
    def lose(_self, _jobs):
        raise BulkLostError("the process for bulk texts ended over these")

    monkeypatch.setattr(client.service.lanes._lines["passage"], "run", lambda jobs: lose(None, jobs))
    answer = await client.post("/v1/embeddings", json={"model": "tiny", "input": ["alpha", "beta"]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "bulk_lost")
    assert int(answer.headers["retry-after"]) >= 1


def test_the_log_says_that_it_ended(process, caplog):
    process.embed(["alpha"])
    os.kill(process.pid, 9)
    process.embed(["alpha"])
    [record] = [record for record in caplog.records if record.name == bulks.log.name]
    assert record.exit_code == -9
