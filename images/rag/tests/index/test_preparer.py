"""The chunking process: it answers, it is ended when a file takes too long, and the next file is served."""

import asyncio
import io
import json
import sys

import pytest
from coderag_rag.chunking.__main__ import serve
from coderag_rag.chunking.document import prepare_document
from coderag_rag.ingestion.preparer import COMMAND, Preparer

HANGS = "import sys, time\nprint('ready', flush=True)\nsys.stdin.readline()\ntime.sleep(600)\n"
DIES = "import sys\nprint('ready', flush=True)\nsys.stdin.readline()\n"


async def test_the_process_gives_what_the_function_gives(monkeypatch):
    monkeypatch.setenv("QDRANT_API_KEY", "secret")
    preparer = Preparer(deadline=30)
    code = "def f():\n    return '한글'\n".encode()
    assert await preparer.prepare(code, ["a.py"]) == prepare_document(code, ["a.py"])
    assert (await preparer.prepare(b"", ["b.py"])).pieces == []
    await preparer.aclose()


async def test_a_file_that_takes_too_long_is_recorded_and_the_next_one_is_served():
    preparer = Preparer(0.2, (sys.executable, "-c", HANGS))
    document = await preparer.prepare(b"x", ["slow.py"])
    assert (document.chunker, document.reason) == ("stopped", "took longer than 0.2 s to chunk")
    preparer._command, preparer._deadline = COMMAND, 30
    assert (await preparer.prepare(b"x = 1\n", ["a.py"])).chunker == "ast"
    await preparer.aclose()


async def test_a_file_that_kills_the_parser_is_recorded():
    preparer = Preparer(30, (sys.executable, "-c", DIES))
    assert (await preparer.prepare(b"x", ["a.py"])).reason == "ended the chunking process"
    await preparer.aclose()


async def test_a_cancelled_request_does_not_answer_the_next_one():
    preparer = Preparer(600, (sys.executable, "-c", HANGS))
    process = await preparer._started()
    waiting = asyncio.create_task(preparer.prepare(b"x", ["a.py"]))
    await asyncio.sleep(0)  # it has sent the file and waits for the answer
    assert preparer._turn.locked()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await preparer.aclose()
    assert await process.wait() != 0


def test_the_protocol_carries_several_documents():
    source = io.BytesIO(b'{"paths": ["a.py"], "size": 6}\nx = 1\n{"paths": ["b.md"], "size": 4}\n# T\n')
    sink = io.BytesIO()
    serve(source, sink)
    sink.seek(0)
    assert sink.readline() == b"ready\n"
    languages = [json.loads(sink.read(int(sink.readline())))["language"] for _ in range(2)]
    assert languages == ["python", "markdown"]
