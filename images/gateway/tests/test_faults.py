"""Every way in which one model server can fail, for callers that stream and callers that do not, against the real
LiteLLM: who answers in the end. Times are shorter than in production, everything else is as the example file has it.
"""

import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from images.gateway.tests.conversations import Told, talk
from images.gateway.tests.running import MODELS, RAG, Changes, Gateway, run_gateway
from images.gateway.tests.upstream import Fault, error

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]
FIRST_TOKEN, CONNECT, COOLDOWN, TOTAL = 3, 1, 1, 50
# Long enough for a machine with other things to do, and far from TOTAL, which would mean that a limit did not hold.
SOON = 15.0
CHANGES = Changes(
    router={"cooldown_time": COOLDOWN, "context_window_fallbacks": [{"chat": ["code"]}, {"code": []}]},
    own={"connect_timeout": CONNECT},
    roles={"timeout": TOTAL, "stream_timeout": FIRST_TOKEN},
    context={"code": 16384},
    measured=True,
)
LOADING = (503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}})
TOO_LONG = {
    "code": 400,
    "message": "the request exceeds the available context size. try increasing the context size",
    "type": "exceed_context_size_error",
}
ERROR_EVENT = {
    "message": "The model's answer broke off; what came of it is not complete.",
    "type": "service_unavailable_error",
    "param": None,
    "code": "stream_interrupted",
    "hint": "Ask again; `kubectl get crs` shows which part is down.",
}
STREAMING = pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with run_gateway(Path(tmp_path_factory.mktemp("faults")), CHANGES) as running:
        yield running


@pytest.fixture
def faulty(shared: Gateway) -> Iterator[Gateway]:
    """The shared gateway with everything well, before and after."""
    heal(shared)
    yield shared
    heal(shared)


def heal(gateway: Gateway) -> None:
    for upstream in gateway.upstreams.values():
        upstream.release.set()  # what still hangs lets go
        upstream.fault, upstream.always, upstream.failures = None, None, []
        if upstream.server is None:
            upstream.start()
    deadline = time.monotonic() + 30
    while {talk(gateway, name, stream=False).served_by for name in ("chat", "code")} != {"chat", "code"}:
        assert time.monotonic() < deadline, "the models are not served by their own servers again"
        time.sleep(0.1)
    for upstream in gateway.upstreams.values():
        upstream.requests.clear()


def assert_code_answers(told: Told) -> None:
    assert (told.status, told.text, told.served_by, told.error) == (200, "I am code", "code", None)
    assert told.headers["x-litellm-attempted-fallbacks"] == "1"
    assert told.seconds < SOON


FAULTS = {
    "killed while it reads the prompt": Fault("request", "close"),
    "connection reset": Fault("request", "reset"),
    "hang before anything": Fault("request", "hang"),
    "200 and then silence": Fault("headers", "hang"),
    "silence after the role": Fault("role", "hang"),
    "cut after the headers": Fault("headers", "close"),
    "cut before the first token": Fault("role", "close"),
    "reset before the first token": Fault("role", "reset"),
    "an end before the first token": Fault("role", "end"),
    "an error instead of the first token": Fault("role", "error"),
}


@STREAMING
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_whatever_fails_before_the_first_token_the_other_model_answers(
    faulty: Gateway, fault: Fault, stream: bool
) -> None:
    faulty.upstreams["chat"].release.clear()
    faulty.upstreams["chat"].fault = fault
    assert_code_answers(talk(faulty, "chat", stream))
    assert (len(faulty.upstreams["chat"].requests), len(faulty.upstreams["code"].requests)) == (1, 1)


@STREAMING
@pytest.mark.parametrize(
    "refusal",
    [(500, error("boom")), LOADING, (502, error("boom")), (429, error("Too many requests"))],
    ids=lambda refusal: str(refusal[0]),
)
def test_whatever_status_says_not_now_the_other_model_answers(
    faulty: Gateway, refusal: tuple[int, dict[str, object]], stream: bool
) -> None:
    faulty.upstreams["chat"].failures = [refusal]
    assert_code_answers(talk(faulty, "chat", stream))


@STREAMING
@pytest.mark.parametrize("model", ["chat", "chat-7b"])
def test_a_refused_connection_is_answered_by_the_other_model(faulty: Gateway, model: str, stream: bool) -> None:
    faulty.upstreams["chat"].stop()
    assert_code_answers(talk(faulty, model, stream))


@STREAMING
def test_an_address_that_swallows_everything_costs_the_time_to_connect(faulty: Gateway, stream: bool) -> None:
    port = faulty.upstreams["chat"].port
    faulty.upstreams["chat"].stop()
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(0)  # nobody accepts: the first connection fills it, the others are never answered
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        both = [talk(faulty, "chat", stream) for _ in range(2)]
    for told in both:
        assert_code_answers(told)
    assert min(told.seconds for told in both) < CONNECT + 1, "not the time to connect ended it, but the first token's"


@pytest.mark.parametrize("then", ["close", "reset", "end", "hang", "error"])
def test_a_stream_cut_after_the_first_token_ends_with_one_error_event(faulty: Gateway, then: str) -> None:
    chat = faulty.upstreams["chat"]
    chat.release.clear()
    chat.fault = Fault("token", then)
    began, heard = time.monotonic(), []
    body = {"model": "chat", "stream": True, "messages": [{"role": "user", "content": "x"}]}
    with faulty.client() as client, client.stream("POST", "/v1/chat/completions", json=body) as answer:
        assert (answer.status_code, answer.headers["x-litellm-model-id"]) == (200, "chat")
        for line in answer.iter_lines():
            heard.append(line)
            if '"content":"I"' in line and then != "hang":
                chat.release.set()  # only now may it go wrong
    events = [line for line in heard if line]
    assert json.loads(events[-1].removeprefix("data: ")) == {"error": ERROR_EVENT}
    assert sum('"error"' in line for line in events) == 1
    assert "data: [DONE]" not in events
    assert faulty.upstreams["code"].requests == []
    assert time.monotonic() - began < SOON


@pytest.mark.parametrize("then", ["close", "reset", "end", "hang", "error"])
def test_without_streaming_even_that_is_answered_by_the_other_model(faulty: Gateway, then: str) -> None:
    if then == "hang":
        faulty.upstreams["chat"].release.clear()
    faulty.upstreams["chat"].fault = Fault("token", then)
    assert_code_answers(talk(faulty, "chat", stream=False))


def test_the_openai_client_raises_when_a_stream_breaks_off(faulty: Gateway) -> None:
    import openai  # only the gateway's own environment is sure to have it

    chat = faulty.upstreams["chat"]
    chat.release.clear()
    chat.fault = Fault("token", "close")
    with openai.OpenAI(base_url=f"{faulty.url}/v1", api_key=RAG, max_retries=0) as client:
        stream = client.chat.completions.create(model="chat", messages=[{"role": "user", "content": "x"}], stream=True)
        assert next(stream).choices[0].delta.role == "assistant"
        chat.release.set()
        with pytest.raises(openai.APIError) as caught:
            list(stream)
    assert caught.value.code == "stream_interrupted"


@pytest.mark.parametrize("after", ["request", "role"])
def test_a_killed_process_loses_none_of_the_requests_in_flight(faulty: Gateway, after: str) -> None:
    chat = faulty.upstreams["chat"]
    chat.stop()
    command = [sys.executable, "-m", "images.gateway.tests.victim", after]
    with subprocess.Popen([*command, str(chat.port)], stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        assert int(victim.stdout.readline()) == chat.port
        with ThreadPoolExecutor(8) as pool:
            told = [pool.submit(talk, faulty, "chat", stream) for stream in [True, False] * 4]
            for _ in told:
                victim.stdout.readline()  # it has the request
            victim.kill()
            for one in told:
                assert_code_answers(one.result())


@STREAMING
def test_an_unknown_model_is_told_so_and_nobody_is_asked(faulty: Gateway, stream: bool) -> None:
    told = talk(faulty, "gpt-9", stream)
    assert told.error is not None
    assert (told.status, told.error["code"], told.error["param"]) == (404, "model_not_found", "model")
    assert [faulty.upstreams[name].requests for name in MODELS] == [[]] * 4


@STREAMING
def test_a_prompt_too_long_for_one_goes_to_the_one_with_more_room(faulty: Gateway, stream: bool) -> None:
    told = talk(faulty, "chat", stream, messages=[{"role": "user", "content": "word " * 9000}])
    assert_code_answers(told)
    assert faulty.upstreams["chat"].requests == []


@STREAMING
def test_a_server_that_counts_more_tokens_than_litellm_is_believed(faulty: Gateway, stream: bool) -> None:
    faulty.upstreams["chat"].always = (400, {"error": TOO_LONG})
    assert_code_answers(talk(faulty, "chat", stream))


@STREAMING
@pytest.mark.parametrize(("model", "words"), [("chat", 20_000), ("code", 20_000)])
def test_a_prompt_too_long_for_all_is_a_clear_400(faulty: Gateway, model: str, words: int, stream: bool) -> None:
    told = talk(faulty, model, stream, messages=[{"role": "user", "content": "word " * words}])
    assert told.error is not None
    assert (told.status, told.error["code"]) == (400, "context_length_exceeded")
    assert "fit" in told.error["message"]
    assert [faulty.upstreams[name].requests for name in MODELS] == [[]] * 4


@STREAMING
def test_a_refused_field_stays_a_400(faulty: Gateway, stream: bool) -> None:
    for name in ("chat", "code"):
        faulty.upstreams[name].always = (400, error("grammar: parse error"))
    told = talk(faulty, "chat", stream)
    assert told.error is not None
    assert told.status == 400
    assert "grammar: parse error" in told.error["message"]


@STREAMING
def test_both_down_is_503_at_once_and_says_when_to_try_again(faulty: Gateway, stream: bool) -> None:
    for name in ("chat", "code"):
        faulty.upstreams[name].stop()
    every = [talk(faulty, "chat", stream) for _ in range(7)]
    for told in every:  # the first ones are refused by the servers, the later ones by the empty pool
        assert told.error is not None
        assert (told.status, told.error["code"]) == (503, "models_unavailable")
        assert set(told.error) == {"message", "type", "param", "code", "hint"}
        assert 1 <= int(told.headers["retry-after"]) <= 60
    assert statistics.median(told.seconds for told in every) < 2


def test_both_hanging_is_503_after_two_first_tokens(faulty: Gateway) -> None:
    for name in ("chat", "code"):
        faulty.upstreams[name].release.clear()
        faulty.upstreams[name].fault = Fault("request", "hang")
    told = talk(faulty, "chat", stream=True)
    assert told.error is not None
    assert (told.status, told.error["code"]) == (503, "model_timeout")
    assert told.seconds < SOON


def test_the_chat_model_stands_in_for_the_code_model_too(faulty: Gateway) -> None:
    faulty.upstreams["code"].stop()
    for stream in (True, False):
        told = talk(faulty, "code-7b", stream)
        assert (told.status, told.text, told.served_by) == (200, "I am chat", "chat")


def test_in_an_outage_one_error_of_the_stand_in_fails_one_request_of_a_hundred(faulty: Gateway) -> None:
    faulty.upstreams["chat"].stop()
    told = [talk(faulty, "chat", stream=number % 2 == 0, key=RAG) for number in range(20)]
    faulty.upstreams["code"].failures = [(500, error("boom"))]
    told += [talk(faulty, "chat", stream=number % 2 == 0) for number in range(100)]
    failed = [one.status for one in told if one.status != 200]
    assert failed in ([], [503])
    assert {one.served_by for one in told if one.status == 200} == {"code"}
    with faulty.client(None) as client:
        figures = client.get("/metrics").text
    counted = 'coderag_gateway_requests_total{model="chat",served_by="code",fallback="yes",status="2xx"} '
    assert int(figures.partition(counted)[2].split()[0]) >= 120 - len(failed)


def test_both_down_ends_when_one_is_back(faulty: Gateway) -> None:
    for name in ("chat", "code"):
        faulty.upstreams[name].always = (503, error("boom"))
    codes = {told.error and told.error["code"] for told in [talk(faulty, "chat", stream=False) for _ in range(12)]}
    assert codes == {"models_unavailable"}
    assert talk(faulty, "chat", False, "wrong-key-wrong-key").status == 401
    assert talk(faulty, "coderag", False, RAG).status == 403
    faulty.upstreams["chat"].stop()
    faulty.upstreams["code"].always = None
    deadline = time.monotonic() + 30
    while talk(faulty, "chat", stream=False).served_by != "code":
        assert time.monotonic() < deadline
        time.sleep(0.1)
