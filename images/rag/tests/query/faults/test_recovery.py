"""Dependencies that go away and come back while the service runs, with the documented timeouts."""

import asyncio
from contextlib import asynccontextmanager

import pytest

pytestmark = pytest.mark.slow

OUTAGES = [0.5, 13.0]


def now():
    return asyncio.get_running_loop().time()


async def search(service):
    return await service.http.post("/v1/search", json={"query": "retry in the WorkQueue"})


async def ask(service, **more):
    return await service.http.post("/v1/ask", json={"question": "Where is retry in the WorkQueue?", **more})


@asynccontextmanager
async def taking_at_most(seconds):
    """Fail when the block takes longer, in virtual time."""
    begin = now()
    yield
    assert now() - begin <= seconds + 0.001


async def until(call, service, accept):
    """Ask twice a second until the answer is right."""
    while not accept(await call(service)):  # noqa: ASYNC110 - of virtual time
        await asyncio.sleep(0.5)


def fine(answer):
    return answer.status_code == 200 and answer.json()["degraded"] == []


@pytest.mark.parametrize("outage", OUTAGES)
@pytest.mark.parametrize("fault", ["refused", "hangs", "503"])
async def test_search_serves_within_15_s_of_qdrants_return(service, served, qdrant, fault, outage):
    async with service.running():
        await asyncio.sleep(10)
        qdrant.faults.always = fault
        await asyncio.sleep(outage)
        qdrant.faults.always = "fine"
        async with taking_at_most(15):
            await until(search, service, fine)
    assert service.health.ready


async def test_search_serves_again_when_qdrant_died_while_a_manifest_was_loaded(service, served, qdrant, make_file):
    async with service.running():
        await asyncio.sleep(10)
        qdrant.only, qdrant.faults.always = ("retrieve",), "hangs"
        await served.serve("app", make_file("new.py", "def retry(): ...\n", ("retry",)))
        await asyncio.sleep(30)
        qdrant.faults.always = "fine"
        async with taking_at_most(15):
            await until(search, service, fine)


@pytest.mark.parametrize("fault", ["refused", "hangs", "503"])
async def test_a_lost_qdrant_is_503_with_retry_after_and_soon_at_once(service, served, qdrant, fault):
    async with service.running():
        await asyncio.sleep(10)
        qdrant.faults.always = fault
        async with taking_at_most(service.settings.search.seconds):
            first = await search(service)
        await asyncio.sleep(6)  # a look every 2 s, each 3 s at most
        asked = len(qdrant.faults.calls)
        async with taking_at_most(0):
            second = await search(service)
    for answer in (first, second):
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "qdrant_unavailable"
        assert int(answer.headers["retry-after"]) >= 1
    assert len(qdrant.faults.calls) == asked


@pytest.mark.parametrize("outage", OUTAGES)
@pytest.mark.parametrize("fault", ["refused", "hangs", "503", "reset"])
async def test_search_goes_on_by_keyword_while_embedding_is_away(service, served, network, fault, outage):
    async with service.running():
        await asyncio.sleep(10)
        network.faults["embedding"].always = fault
        end = now() + outage
        while now() < end:
            async with taking_at_most(service.settings.search.seconds):
                answer = await search(service)
            assert answer.status_code == 200
            assert answer.json()["degraded"] == ["dense"]
            assert answer.json()["hits"][0]["path"] == "operator/engine/workqueue.py"
            await asyncio.sleep(1.7)
        network.faults["embedding"].always = "fine"
        async with taking_at_most(15):
            await until(search, service, fine)


async def test_an_ask_is_answered_by_keyword_when_embedding_is_known_to_be_down(service, served, network):
    async with service.running():
        network.faults["embedding"].always = "refused"
        await asyncio.sleep(10)
        async with taking_at_most(0):
            answer = await ask(service)
    assert answer.json()["degraded"] == ["dense"]


async def test_an_ask_waits_for_an_embedding_service_that_stumbles(service, served, network):
    network.faults["embedding"].script = [("503", 0.0)]
    async with taking_at_most(2):
        answer = await ask(service)
    assert answer.json()["degraded"] == []


@pytest.mark.parametrize("outage", [0.5, 5.0])
async def test_an_ask_outlives_a_short_outage_of_qdrant(service, served, qdrant, outage):
    async with service.running():
        await asyncio.sleep(10)
        qdrant.faults.always = "refused"
        asking = asyncio.create_task(ask(service))
        await asyncio.sleep(outage)
        qdrant.faults.always = "fine"
        assert (await asking).status_code == 200


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [("503", 0), ("500", 0), ("reset", 0), ("refused", 6), ("hangs", 60)],
)
async def test_without_models_an_ask_is_503_with_retry_after_and_search_stays_up(
    service, served, network, fault, seconds
):
    faults = network.faults["gateway"]
    async with service.running():
        await asyncio.sleep(9)
        faults.always = fault
        async with taking_at_most(seconds):
            answer = await ask(service)
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "gateway_unavailable"
        assert int(answer.headers["retry-after"]) >= 1
        async with taking_at_most(0):
            assert fine(await search(service))
        faults.always = "fine"
        async with taking_at_most(15):
            await until(ask, service, fine)


async def test_a_prompt_that_the_gateway_may_have_seen_is_not_sent_again(service, served, network):
    faults = network.faults["gateway"]
    for fault in ("503", "500", "429", "reset", "hangs"):
        faults.script, faults.calls = [(fault, 0.0)], []
        assert (await ask(service)).status_code == 503
        assert len(faults.calls) == 1


async def test_a_gateway_that_is_being_replaced_costs_an_ask_a_wait_and_nothing_else(service, served, network):
    network.faults["gateway"].script = [("refused", 0.0), ("refused", 0.0)]
    async with taking_at_most(6):
        assert (await ask(service)).status_code == 200
    assert [path for _at, path in network.faults["gateway"].calls[-3:]] == ["/v1/chat/completions"] * 3


DIRECT = {"LLAMA_API_KEY": "server-key", "INFERENCE_CODE_URL": "http://code:8004"}


@pytest.mark.parametrize("environment", [DIRECT], indirect=True)
async def test_with_a_key_of_the_model_server_it_is_asked_while_the_gateway_is_away(service, served, network):
    network.faults["gateway"].always = "refused"
    async with taking_at_most(0):
        answer = await ask(service)
    assert (answer.status_code, answer.json()["served_by"]) == (200, "code-1")
    assert [path for _at, path in network.faults["code"].calls][-1] == "/v1/chat/completions"
    assert (await ask(service, model="chat")).status_code == 503  # no address of chat is known


@pytest.mark.parametrize("environment", [DIRECT], indirect=True)
async def test_the_direct_way_is_only_for_prompts_that_the_gateway_has_not_seen(service, served, network):
    network.faults["gateway"].always = "503"
    assert (await ask(service)).status_code == 503
    assert "/v1/chat/completions" not in [path for _at, path in network.faults["code"].calls]


@pytest.mark.parametrize("environment", [{"INFERENCE_CODE_URL": "http://code:8004"}], indirect=True)
async def test_without_a_key_the_addresses_are_for_health_only(service, served, network):
    assert service.clients.direct == {}
    network.faults["gateway"].always = "refused"
    assert (await ask(service)).status_code == 503
    network.faults["code"].always = "503"
    for watch in service.health.watches:
        await watch.look()
    assert (await service.http.get("/health")).json()["dependencies"]["code"]["detail"] == "its /health answered 503"


async def test_breakers_are_shown_to_prometheus(service, served, qdrant):
    service.breakers["qdrant"].trip("gone")
    metrics = (await service.http.get("/metrics")).text
    assert 'coderag_breaker_open{dependency="qdrant"} 1.0' in metrics
    assert 'coderag_breaker_open{dependency="gateway"} 0.0' in metrics
