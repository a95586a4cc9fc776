"""POST /v1/ask over HTTP: verified answers and honest failures."""

import asyncio

import httpx
import pytest
from coderag_rag.query.guard import DependencyDown
from coderag_rag.query.reader import IndexReader


async def ask(service, question="Where is retry in the WorkQueue?", **more):
    return await service.http.post("/v1/ask", json={"question": question, **more})


async def test_a_citation_is_resolved_to_the_lines_it_stands_for(service, served, gateway):
    answer = await ask(service)
    assert answer.status_code == 200
    body = answer.json()
    assert body["answer"] == "It is here [1]."
    (citation,) = body["citations"]
    first = body["sources"][0]
    assert citation == {key: first[key] for key in citation if key != "marker"} | {"marker": "[1]"}
    assert citation["commit"] == f"{1:040x}"
    assert (body["model"], body["served_by"], body["degraded"]) == ("code", "code-1", [])
    assert "[1] app operator/engine/workqueue.py:1-4" in gateway.requests[0]["messages"][1]["content"]


async def test_invented_markers_are_taken_out_and_counted(service, served, gateway):
    gateway.pieces = ["Cited [2][", "1] and [9", "9] and again [2] and [1, 77]."]
    body = (await ask(service)).json()
    assert body["answer"] == "Cited [2][1] and and again [2] and [1]."
    assert [item["marker"] for item in body["citations"]] == ["[2]", "[1]"]
    assert body["dropped_markers"] == 2


async def test_a_model_that_says_nothing_is_asked_again_with_fewer_sources(service, served, gateway):
    gateway.speechless = 2
    body = (await ask(service)).json()
    assert body["answer"] == "It is here [1]."
    lengths = [len(request["messages"][-1]["content"]) for request in gateway.requests]
    assert len(lengths) == 3
    assert lengths == sorted(lengths, reverse=True)


async def test_an_answer_without_markers_has_no_citations(service, served, gateway):
    gateway.pieces = ["I do not know."]
    body = (await ask(service)).json()
    assert (body["citations"], body["dropped_markers"]) == ([], 0)
    assert body["sources"]


async def test_a_stored_text_that_was_changed_is_neither_shown_to_the_model_nor_cited(
    service, index, corpus, look, gateway
):
    await index.serve("app", *corpus.values())
    await index.add_chunks("app", [corpus["queue"]], sha256="0" * 64)
    await look()
    body = (await ask(service)).json()
    assert "workqueue.py:1-4" not in gateway.requests[0]["messages"][1]["content"].replace("test_workqueue", "")
    assert all(item["path"] != "operator/engine/workqueue.py" for item in body["citations"] + body["sources"])


async def test_the_same_question_may_come_as_query(service, served):
    answer = await service.http.post("/query", json={"question": "Where is retry?", "model": "chat", "max_tokens": 7})
    assert answer.json()["model"] == "chat"


async def test_model_limit_and_tokens_reach_the_gateway(service, served, gateway):
    await ask(service, model="chat", max_tokens=7, limit=1)
    sent = gateway.requests[0]
    assert (sent["model"], sent["max_tokens"]) == ("chat", 7)
    assert "[2] " not in sent["messages"][1]["content"]


async def test_a_korean_question_asks_for_a_korean_answer(service, served, gateway):
    await ask(service, "작업 큐의 retry 는 어디에 있나요?")
    assert "Korean" in gateway.requests[0]["messages"][0]["content"]


async def test_a_prompt_the_model_cannot_hold_is_sent_again_with_fewer_sources(service, served, gateway):
    gateway.too_long = 2
    assert (await ask(service)).status_code == 200
    sizes = [len(request["messages"][1]["content"]) for request in gateway.requests]
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) == 3


async def test_a_prompt_that_never_fits_is_the_callers_to_shorten(service, served, gateway):
    gateway.too_long = 9
    answer = await ask(service)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "context_length_exceeded")
    gateway.too_long = 0
    answer = await ask(service, "word " * 3000)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "context_length_exceeded")


@pytest.mark.parametrize("environment", [{"QDRANT_MAX_RETRIES": "1"}], indirect=True)
async def test_without_models_ask_is_503_and_search_stays_up(service, served, gateway):
    gateway.down = True
    answer = await ask(service)
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "gateway_unavailable"
    assert "retry-after" in answer.headers
    assert (await service.http.post("/v1/search", json={"query": "retry"})).status_code == 200
    asked = len(gateway.requests)
    gateway.down = False
    assert (await ask(service)).status_code == 503  # at once: the breaker is open until the next look
    assert len(gateway.requests) == asked


async def test_the_next_look_brings_answers_back(service, served, gateway, look):
    gateway.down = True
    await ask(service)
    gateway.down = False
    await look()
    assert (await ask(service)).status_code == 200


async def test_an_answer_that_breaks_off_is_503_and_not_half_an_answer(service, served, gateway):
    gateway.tail = []
    assert (await ask(service)).status_code == 503


@pytest.mark.parametrize("environment", [{"RAG_LLM_TIMEOUT": "0.3"}], indirect=True)
async def test_a_silent_model_ends_with_the_deadline(service, served, gateway, silent):
    gateway.stream = silent
    answer = await ask(service)
    assert answer.status_code == 503
    assert "not complete in time" in answer.json()["error"]["message"]
    assert silent.closed.is_set()


@pytest.mark.parametrize("environment", [{"RAG_LLM_TIMEOUT": "0.3"}], indirect=True)
async def test_a_search_that_hangs_ends_with_the_deadline_too(service, served, monkeypatch):
    async def all_nearest(_reader, _legs):
        await asyncio.Event().wait()

    monkeypatch.setattr(IndexReader, "all_nearest", all_nearest)
    answer = await ask(service)
    error = answer.json()["error"]
    assert (error["code"], answer.status_code) == ("qdrant_unavailable", 503)
    assert "not complete in time" in error["message"]


async def test_an_ask_has_time_for_the_whole_retry_schedule(service, served, monkeypatch):
    original, tries = IndexReader.all_nearest, []

    async def all_nearest(reader, legs):
        tries.append(1)
        if len(tries) < 3:
            raise DependencyDown("qdrant", "answered 503")
        return await original(reader, legs)

    monkeypatch.setattr(IndexReader, "all_nearest", all_nearest)
    assert (await ask(service)).status_code == 200
    assert len(tries) == 3


async def test_nothing_indexed_nothing_asked(service, look, gateway):
    await look()
    answer = await ask(service)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "no_repository_indexed")
    assert gateway.requests == []


async def test_no_matching_code_means_no_made_up_answer(service, index, look, gateway):
    await index.serve("empty")
    await look()
    answer = await ask(service)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "nothing_relevant")
    assert gateway.requests == []


@pytest.mark.parametrize("body", [{"question": ""}, {"question": "x", "model": "gpt"}, {"question": "x", "extra": 1}])
async def test_bad_input_is_400(service, served, body):
    answer = await service.http.post("/v1/ask", json=body)
    assert answer.status_code == 400
    assert set(answer.json()["error"]) == {"message", "type", "param", "code", "hint"}


async def test_a_caller_that_leaves_stops_the_generation(service, served, gateway, talking):
    gateway.stream = talking
    sent = [{"type": "http.request", "body": b'{"question": "retry?"}', "more_body": False}]

    async def receive():
        if sent:
            return sent.pop()
        await talking.started.wait()
        return {"type": "http.disconnect"}

    scope = {
        "type": "http", "method": "POST", "path": "/v1/ask", "raw_path": b"/v1/ask", "query_string": b"",
        "headers": [(b"authorization", b"Bearer user-key"), (b"content-type", b"application/json")],
        "http_version": "1.1", "scheme": "http", "server": ("rag", 80), "client": ("c", 1), "root_path": "",
    }  # fmt: skip
    messages = []

    async def send(message):
        messages.append(message)

    await asyncio.wait_for(service.app(scope, receive, send), 5)
    assert talking.closed.is_set()
    assert messages[0]["status"] == 499


async def test_citations_are_counted(service, served, gateway):
    gateway.pieces = ["A [1] and [99]."]
    await ask(service)
    metrics = (await service.http.get("/metrics")).text
    assert 'coderag_citations_total{verdict="verified"} 1.0' in metrics
    assert 'coderag_citations_total{verdict="dropped"} 1.0' in metrics


async def test_a_task_may_be_named_and_is_else_read_from_the_question(service, served, gateway):
    assert (await ask(service)).json()["task"] == "explain"
    assert (await ask(service, "Write a test for WorkQueue.retry")).json()["task"] == "generate"
    assert (await ask(service, task="generate")).json()["task"] == "generate"
    systems = [request["messages"][0]["content"] for request in gateway.requests]
    assert systems[1] == systems[2] != systems[0]
    assert gateway.requests[1]["max_tokens"] == 2 * gateway.requests[0]["max_tokens"]
    assert (await ask(service, task="poem")).json()["error"]["param"] == "task"


async def test_an_ask_narrows_its_sources_as_a_search_does(service, served, gateway):
    body = (await ask(service, paths=["docs"], languages=["markdown"], refs=["main"])).json()
    assert {source["path"] for source in body["sources"]} == {"docs/queue.md"}
    assert (await ask(service, refs=["gone"])).status_code == 404


async def test_a_list_of_sources_in_the_models_own_words_is_taken_out_and_its_numbers_count(service, served, gateway):
    gateway.pieces = ["It waits [1].\n\nSour", "ces:\n[1] app etc/pass", "wd:1-9\n[2] app secret.py:1-2\n[99] x"]
    body = (await ask(service)).json()
    assert body["answer"] == "It waits [1]."
    assert [item["marker"] for item in body["citations"]] == ["[1]", "[2]"]
    assert body["dropped_markers"] == 1


@pytest.mark.parametrize(
    "environment", [{"INFERENCE_CODE_URL": "http://code:8004", "LLAMA_API_KEY": "llama-key"}], indirect=True
)
async def test_the_prompt_fits_the_context_that_the_models_server_tells(
    service, index, make_file, look, gateway, servers
):
    asked = []

    def props(request):
        if request.url.path == "/props":
            asked.append(request.headers["authorization"])
            return httpx.Response(200, json={"default_generation_settings": {"n_ctx": 1400}})
        return gateway(request)

    servers["code"] = props
    files = [make_file(f"queue{n}.py", f"def retry{n}(queue):\n" + "    queue.wait()\n" * 60) for n in range(6)]
    await index.serve("app", *files)
    await look()
    await ask(service, "How does retry wait for the queue?")
    await ask(service, "How does retry wait for the queue?")
    offered = gateway.requests[0]["messages"][-1]["content"].count("\n<source-")
    assert 1 <= offered < 6
    assert asked == ["Bearer llama-key"]
