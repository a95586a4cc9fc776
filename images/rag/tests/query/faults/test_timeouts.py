"""Every timeout and retry setting of the service has an effect: here it is, in virtual seconds."""

import asyncio

import httpx
import pytest
from coderag_rag.api.settings import ApiSettings
from coderag_rag.clients.embedding import EmbeddingClient
from coderag_rag.env import Environment, InvalidSetting
from coderag_rag.ingestion.embedder import Embedder
from coderag_rag.settings import QdrantSettings
from coderag_rag.store.calls import Calls, StoreUnavailable

pytestmark = pytest.mark.slow

CHAT = "/v1/chat/completions"


def with_environment(**values):
    return pytest.mark.parametrize("environment", [values], indirect=True, ids=[",".join(values)])


def now():
    return asyncio.get_running_loop().time()


async def post(service, path, body):
    """Send a request; return the answer and how long it took."""
    begin = now()
    answer = await service.http.post(path, json=body)
    return answer, round(now() - begin, 2)


async def ask(service):
    return await post(service, "/v1/ask", {"question": "Where is retry in the WorkQueue?"})


async def search(service):
    return await post(service, "/v1/search", {"query": "retry in the WorkQueue"})


class Dripping(httpx.AsyncByteStream):
    """An answer that says a word a second and never ends."""

    async def __aiter__(self):
        while True:
            yield b'data: {"choices": [{"delta": {"content": "word "}}]}\n\n'
            await asyncio.sleep(1)


class Mute(httpx.AsyncByteStream):
    """An answer of headers only."""

    async def __aiter__(self):
        await asyncio.Event().wait()
        yield b""


@pytest.fixture
def dripping(gateway):
    gateway.stream = Dripping()


@with_environment(RAG_LLM_TIMEOUT="20")
async def test_rag_llm_timeout_ends_an_answer_that_goes_on(service, served, dripping):
    answer, seconds = await ask(service)
    assert (answer.status_code, seconds) == (503, 20)
    assert "the answer was not complete in time" in answer.json()["error"]["message"]


@with_environment(LLM_REQUEST_TIMEOUT="7")
async def test_llm_request_timeout_ends_an_answer_that_goes_on(service, served, dripping):
    answer, seconds = await ask(service)
    assert (answer.status_code, seconds) == (503, 7)


@with_environment(LLM_REQUEST_TIMEOUT="7")
async def test_llm_request_timeout_ends_the_wait_for_the_first_word(service, served, network):
    network.faults["gateway"].always = "hangs"
    answer, seconds = await ask(service)
    assert (answer.status_code, seconds) == (503, 7)


@with_environment(LLM_REQUEST_TIMEOUT="7")
async def test_headers_without_words_are_not_an_answer(service, served, gateway):
    gateway.stream = Mute()
    answer, seconds = await ask(service)
    assert (answer.status_code, seconds) == (503, 7)
    assert "no model began to answer in time" in answer.json()["error"]["message"]


@with_environment(LLM_CONNECT_TIMEOUT="4")
async def test_llm_connect_timeout_bounds_each_connection(service, served, network):
    network.faults["gateway"].always, network.faults["gateway"].script = "refused", [("refused", 99.0)] * 3
    answer, seconds = await ask(service)
    assert (answer.status_code, seconds) == (503, 4 + 2 + 4 + 4 + 4)
    assert "no connection in time" in answer.json()["error"]["message"]


@with_environment(RAG_LLM_TIMEOUT="20", LLM_REQUEST_TIMEOUT="15", LLM_CONNECT_TIMEOUT="9")
async def test_what_is_left_of_the_deadline_is_the_timeout_of_the_call(service, served, network, qdrant):
    qdrant.faults.script = [("503", 0.0)]  # the second try is 2 s later
    await ask(service)
    assert network.faults["gateway"].timeouts[-1] == {"connect": 9, "read": 15, "write": 15, "pool": 15}
    qdrant.faults.script = [("503", 8.0), ("503", 4.0)]  # 8 + 2 + 4 + 4 s are gone
    await ask(service)
    assert network.faults["gateway"].timeouts[-1] == {"connect": 2, "read": 2, "write": 2, "pool": 2}


@with_environment(QDRANT_TIMEOUT="3")
async def test_qdrant_timeout_is_the_longest_search(service, served, qdrant):
    qdrant.faults.always = "hangs"
    answer, seconds = await search(service)
    assert (answer.status_code, seconds) == (503, 3)


@with_environment(QDRANT_TIMEOUT="3")
async def test_qdrant_timeout_bounds_each_try_of_an_ask(service, served, qdrant):
    qdrant.faults.always = "hangs"
    answer, seconds = await ask(service)
    assert (answer.status_code, seconds) == (503, 3 + 2 + 3 + 4 + 3)


async def test_a_search_never_takes_longer_than_5_s(service, served, qdrant):
    qdrant.faults.always = "hangs"
    assert (await search(service))[1] == 5


@with_environment(EMBEDDING_TIMEOUT="1")
async def test_embedding_timeout_is_the_longest_wait_for_the_dense_leg(service, served, network):
    network.faults["embedding"].always = "hangs"
    for asked in (search, ask):
        answer, seconds = await asked(service)
        assert (answer.status_code, answer.json()["degraded"], seconds) == (200, ["dense"], 1)


async def test_a_silent_embedding_service_gets_a_share_of_each_deadline(service, served, network):
    network.faults["embedding"].always = "hangs"
    assert (await search(service))[1] == 2
    assert (await ask(service))[1] == 30


@with_environment(QDRANT_MAX_RETRIES="4", QDRANT_RETRY_MIN_WAIT="3", QDRANT_RETRY_MAX_WAIT="7")
async def test_the_retry_settings_make_the_schedule_of_an_ask(service, served, qdrant):
    qdrant.faults.always, qdrant.faults.calls = "503", []
    answer, seconds = await ask(service)
    assert (answer.status_code, seconds) == (503, 3 + 6 + 7)
    assert len({at for at, _leg in qdrant.faults.calls}) == 4


@with_environment(RAG_LLM_TIMEOUT="5")
async def test_a_wait_that_would_miss_the_deadline_is_not_begun(service, served, qdrant):
    qdrant.faults.always = "503"
    answer, seconds = await ask(service)
    assert (answer.status_code, seconds) == (503, 2)  # a second wait of 4 s would end after the deadline


async def test_a_search_tries_a_lost_connection_once_more_at_once_and_nothing_else(service, served, qdrant):
    for fault, tries in (("refused", 2), ("503", 1)):
        qdrant.faults.script, qdrant.faults.calls = [(fault, 0.0)] * 9, []
        answer, seconds = await search(service)
        assert (answer.status_code, seconds) == (503, 0)
        assert [leg for _at, leg in qdrant.faults.calls].count("keyword") <= 2 * tries  # two legs use that vector
        service.breakers["qdrant"].succeeded()


async def test_one_lost_connection_is_mended_without_a_wait(service, served, qdrant):
    qdrant.faults.script = [("reset", 0.0)]
    answer, seconds = await search(service)
    assert (answer.status_code, seconds) == (200, 0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RAG_LLM_TIMEOUT", "0"),
        ("LLM_REQUEST_TIMEOUT", "-1"),
        ("LLM_CONNECT_TIMEOUT", "soon"),
        ("QDRANT_TIMEOUT", "0"),
        ("EMBEDDING_TIMEOUT", "inf"),
        ("QDRANT_MAX_RETRIES", "0"),
        ("QDRANT_RETRY_MIN_WAIT", "-1"),
        ("QDRANT_RETRY_MIN_WAIT", "11"),
        ("QDRANT_RETRY_MAX_WAIT", "1"),
        ("INFERENCE_CHAT_URL", "chat:8001"),
        ("INFERENCE_CODE_URL", "code:8004"),
    ],
)
def test_an_impossible_value_is_refused_by_name(environment, name, value):
    with pytest.raises(InvalidSetting) as caught:
        ApiSettings.read(Environment(environment | {name: value}))
    assert caught.value.name.replace("MAX_WAIT", "MIN_WAIT") == name.replace("MAX_WAIT", "MIN_WAIT")


@with_environment(QDRANT_MAX_RETRIES="3", QDRANT_TIMEOUT="6")
async def test_ingestion_goes_through_the_same_schedule(environment, qdrant):
    policy = QdrantSettings.read(Environment(environment)).schedule
    qdrant.faults.always = "refused"
    begin = now()
    with pytest.raises(StoreUnavailable):
        await Calls(qdrant, policy)("scroll", "code-test")
    assert (now() - begin, len(qdrant.faults.calls)) == (2 + 4, 3)


@with_environment(EMBEDDING_TIMEOUT="7")
async def test_ingestion_waits_for_embedding_as_long_as_it_is_told(settings, network):
    faults = network.faults["embedding"]
    faults.script = [("hangs", 0.0), ("503", 0.0)]
    own = settings.embedding
    client = EmbeddingClient(own.url, own.api_key, own.timeout, httpx.MockTransport(network))
    begin = now()
    assert len(await Embedder(client, settings.qdrant.schedule, "tiny", 8).embed(["text"])) == 1
    assert (now() - begin, len(faults.calls)) == (7 + 2 + 4, 3)
    await client.aclose()
