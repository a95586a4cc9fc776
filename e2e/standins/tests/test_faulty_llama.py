"""The stand-in for llama-server does what its switches say, and only that."""

import asyncio
import json

import httpx
import pytest

from e2e.standins import faulty_llama
from e2e.standins.__main__ import MODULES, main
from e2e.standins.faulty_llama import Llama, Switches, load, make_app, parse
from e2e.standins.odd_models import write_odd
from e2e.standins.tiny_gguf import write_all

KEY = {"Authorization": "Bearer a-key"}
CHAT = "/v1/chat/completions"
BODY = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 4}
FLAGS = ["--model", "/m.gguf", "--alias", "chat", "--ctx-size", "8192", "--parallel", "2", "--fit", "off", "--metrics"]


@pytest.fixture
def llama():
    return Llama(parse(FLAGS), Switches())


@pytest.fixture
async def server(llama):
    transport = httpx.ASGITransport(make_app(llama, "a-key"))
    async with httpx.AsyncClient(transport=transport, base_url="http://llama", headers=KEY) as client:
        yield client


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    write_all(folder)
    write_odd(folder)
    return folder


async def set_switches(server, **wanted):
    assert (await server.put("/admin/switches", json=wanted)).status_code == 200


async def read_metrics(server):
    lines = (await server.get("/metrics")).text.splitlines()
    return {name.removeprefix("llamacpp:"): float(value) for name, value in (line.split() for line in lines)}


async def wait_for_metric(server, name, value):
    async with asyncio.timeout(5):
        while (await read_metrics(server))[name] != value:  # noqa: ASYNC110  the condition is what the server says
            await asyncio.sleep(0)


async def test_it_answers_like_the_real_one_and_counts(server):
    answer = (await server.post(CHAT, json=BODY)).json()
    assert answer["model"] == "chat"
    assert len(answer["choices"][0]["message"]["content"].split()) == 4
    found = await read_metrics(server)
    assert (found["n_decode_total"], found["tokens_predicted_total"], found["requests_processing"]) == (4, 4, 0)
    assert (await server.post("/v1/completions", json={"prompt": "x", "max_tokens": 2})).json()["choices"][0]["text"]


async def test_it_streams_to_the_end(server):
    lines = (await server.post(CHAT, json=BODY | {"stream": True})).text.splitlines()
    events = [line.removeprefix("data: ") for line in lines if line]
    assert events[-1] == "[DONE]"
    assert json.loads(events[-2])["choices"][0]["finish_reason"] == "length"
    assert len(events) == 6


async def test_it_says_what_it_runs_as_it_was_told(server):
    props = (await server.get("/props")).json()
    assert (props["total_slots"], props["default_generation_settings"]["n_ctx"]) == (2, 4096)
    assert props["model_path"] == "/m.gguf"
    assert len((await server.get("/slots")).json()) == 2
    assert (await server.get("/v1/models")).json()["data"][0]["id"] == "chat"


async def test_only_health_and_models_answer_without_the_key(server):
    server.headers.pop("Authorization")
    codes = {path: (await server.get(path)).status_code for path in ("/health", "/v1/models", "/metrics", "/props")}
    assert codes == {"/health": 200, "/v1/models": 200, "/metrics": 401, "/props": 401}
    assert (await server.put("/admin/switches", json={})).status_code == 401


async def test_a_hang_stops_generation_but_not_health_and_ends_with_the_switch(server):
    await set_switches(server, hang=True)
    waiting = asyncio.create_task(server.post(CHAT, json=BODY))
    await wait_for_metric(server, "requests_processing", 1)
    before = await read_metrics(server)
    assert (await server.get("/health")).status_code == 200
    assert await read_metrics(server) == before
    await set_switches(server, hang=False)
    assert (await waiting).status_code == 200


async def test_a_caller_who_leaves_a_hanging_server_is_still_counted(llama, server):
    await set_switches(server, hang=True)
    waiting = asyncio.create_task(server.post(CHAT, json=BODY))
    await wait_for_metric(server, "requests_processing", 1)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert (await read_metrics(server))["requests_processing"] == 1
    await set_switches(server, hang=False)
    assert (await read_metrics(server))["requests_processing"] == 0


async def test_an_old_build_gives_no_metrics_while_it_decodes(server):
    await set_switches(server, block_metrics=True, hang=True)
    waiting = asyncio.create_task(server.post(CHAT, json=BODY))
    async with asyncio.timeout(5):
        while not (await asyncio.wait([asyncio.create_task(server.get("/metrics"))], timeout=0.05))[1]:
            pass
    await set_switches(server, hang=False)
    assert (await waiting).status_code == 200
    assert (await read_metrics(server))["requests_processing"] == 0


async def test_requests_beyond_the_slots_are_deferred(server):
    await set_switches(server, hang=True)
    waiting = [asyncio.create_task(server.post(CHAT, json=BODY)) for _ in range(3)]
    await wait_for_metric(server, "requests_deferred", 1)
    assert (await read_metrics(server))["requests_processing"] == 2
    await set_switches(server, hang=False)
    assert {answer.status_code for answer in await asyncio.gather(*waiting)} == {200}


async def test_one_error_is_one_error(server):
    await set_switches(server, status=500, times=1)
    codes = [(await server.post(CHAT, json=BODY)).status_code for _ in range(2)]
    assert codes == [500, 200]
    await set_switches(server, status=429)
    assert {(await server.post(CHAT, json=BODY)).status_code for _ in range(3)} == {429}


async def test_while_it_loads_every_route_says_so_but_the_switches(server):
    await set_switches(server, health=503)
    assert {(await server.get(path)).status_code for path in ("/health", "/metrics", "/v1/models")} == {503}
    await set_switches(server, health=200)
    assert (await server.get("/health")).status_code == 200


async def test_a_slow_server_moves_all_the_time(server):
    await set_switches(server, token_seconds=0.02)
    waiting = asyncio.create_task(server.post(CHAT, json=BODY | {"max_tokens": 50}))
    await wait_for_metric(server, "n_decode_total", 1)
    await wait_for_metric(server, "n_decode_total", 2)
    waiting.cancel()


async def test_a_cut_stream_ends_after_so_many_tokens(llama):
    llama.switches = Switches(cut_after=2)
    stream = llama.stream(True, 4)
    assert [("content" in await anext(stream)) for _ in range(2)] == [True, True]
    with pytest.raises(faulty_llama.CutError):
        await anext(stream)


async def test_a_switch_that_there_is_not_is_refused_by_name(server):
    answer = await server.put("/admin/switches", json={"hangs": True})
    assert answer.status_code == 400
    assert "hangs" in answer.json()["error"]


def test_a_model_file_may_bring_its_own_fault(models):
    assert load(models / "chat.gguf") == load(models / "next.model") == Switches()
    assert load(models / "mute.model").status == 500


def test_a_model_that_a_real_server_cannot_load_ends_it(models, capsys):
    for name in ("short.model", "crash.model"):
        with pytest.raises(ValueError, match="failed to load"):
            load(models / name)
    assert faulty_llama.main(["--model", str(models / "crash.model")]) == 1
    assert faulty_llama.main(["--model", "/nowhere"]) == 1
    assert "failed to load model" in capsys.readouterr().err


def test_odd_models_are_none_that_the_hub_lists(models):
    assert sorted(path.name for path in models.glob("*.gguf")) == ["chat.gguf", "code.gguf"]


def test_an_image_that_is_given_a_model_is_a_model_server(models, capsys):
    assert "llama" in MODULES
    assert main(["--model", str(models / "crash.model"), "--alias", "chat"]) == 1
    assert "failed to load model" in capsys.readouterr().err
