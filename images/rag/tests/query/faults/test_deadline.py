"""The arithmetic of deadlines and retries, against whatever happens."""

import asyncio
from functools import partial

import httpx
import pytest
from coderag_rag.answer.answerer import Question
from coderag_rag.api.services import Clients, Services
from coderag_rag.api.settings import ApiSettings
from coderag_rag.deadline import Deadline
from coderag_rag.env import Environment
from coderag_rag.query.effort import Patience, any_failure
from coderag_rag.query.guard import Breaker, DependencyDown
from coderag_rag.retry import RetryPolicy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.slow

MOMENT = 1e-6  # of a float's rounding
SECONDS = st.floats(0, 40)


def now():
    return asyncio.get_running_loop().time()


async def test_a_deadline_only_ever_comes_nearer():
    deadline = Deadline.after(10)
    assert deadline.within(20) == deadline
    assert deadline.within(3).left() == 3
    await asyncio.sleep(8)
    assert (deadline.left(), deadline.within(3).left()) == (2, 2)
    assert deadline.allows(1.9)
    assert not deadline.allows(2)
    await asyncio.sleep(8)
    assert deadline.left() == 0


@given(
    outcomes=st.lists(st.tuples(SECONDS, st.sampled_from(["refused", "503", "fine"])), max_size=8),
    tries=st.integers(1, 6),
    waits=st.tuples(SECONDS, SECONDS).map(sorted),
    seconds=st.floats(0.1, 200),
    patient=st.booleans(),
)
def test_no_sequence_of_failures_exceeds_deadline_or_tries(virtually, outcomes, tries, waits, seconds, patient):
    begun, ended = [], []

    async def attempt():
        begun.append(now())
        delay, outcome = outcomes[len(begun) - 1] if len(begun) <= len(outcomes) else (0, "fine")
        try:
            await asyncio.sleep(delay)
        finally:
            ended.append(now())
        if outcome != "fine":
            raise DependencyDown("qdrant", outcome, unreachable=outcome == "refused")

    async def request():
        schedule = RetryPolicy(tries, *waits) if patient else None
        effort = Patience(seconds, 1, schedule).begin()
        try:
            async with effort.deadline.cut():
                await Breaker("qdrant").call(attempt, partial(effort.retrying, any_failure))
        except (DependencyDown, TimeoutError):
            pass
        return now()

    assert virtually(request()) <= seconds + MOMENT
    assert 1 <= len(begun) <= (tries if patient else 2)
    pauses = [later - earlier for earlier, later in zip(ended, begun[1:], strict=False)]
    shortest, longest = waits if patient else (0, 0)
    assert all(shortest - MOMENT <= pause <= longest + MOMENT for pause in pauses)


FATES = st.lists(
    st.tuples(st.sampled_from(["fine", "fine", "refused", "reset", "503", "hangs"]), SECONDS | st.just(0.0)), max_size=9
)
PIECES = st.lists(SECONDS, min_size=1, max_size=6)


class Speech(httpx.AsyncByteStream):
    """Words after pauses, then the end or a cut."""

    def __init__(self, pauses, whole):
        self.pauses, self.whole = pauses, whole

    async def __aiter__(self):
        for pause in self.pauses:
            await asyncio.sleep(pause)
            yield b'data: {"choices": [{"delta": {"content": "word "}}]}\n\n'
        if self.whole:
            yield b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n'


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    fates=st.fixed_dictionaries({"qdrant": FATES, "embedding": FATES, "gateway": FATES}),
    speech=st.builds(Speech, PIECES, st.booleans()),
    limits=st.fixed_dictionaries(
        {"RAG_LLM_TIMEOUT": st.floats(1, 150), "LLM_REQUEST_TIMEOUT": st.floats(1, 90)}
        | {"LLM_CONNECT_TIMEOUT": st.floats(0.1, 20), "QDRANT_TIMEOUT": st.floats(0.1, 40)}
        | {"EMBEDDING_TIMEOUT": st.floats(0.1, 40), "QDRANT_MAX_RETRIES": st.integers(1, 4)}
    ),
)
def test_no_combination_of_faults_makes_an_ask_exceed_its_deadline(
    virtually, environment, index_of_one_file, network, gateway, fates, speech, limits
):
    chosen = ApiSettings.read(Environment(environment | {name: str(value) for name, value in limits.items()}))
    faults = {"qdrant": index_of_one_file.faults, **network.faults}

    async def request():
        services = Services(chosen, Clients.connect(chosen, index_of_one_file, httpx.MockTransport(network)))
        gateway.stream, begin = speech, now()
        for one in faults.values():
            one.script, one.calls, one.timeouts = [], [], []
        for watch in services.health.watches:
            await watch.look()
        for name, script in fates.items():
            faults[name].script, faults[name].calls, faults[name].timeouts = list(script), [], []
        try:
            async with services.answerer.open(Question("Where is retry?")) as answer:
                text = "".join([piece async for piece in answer.pieces()])
        except DependencyDown:
            text = None
        took = now() - begin
        await services.clients.plain.aclose()
        return text, took

    text, took = virtually(request())
    assert text is None or text == "word " * len(speech.pauses)
    assert took <= limits["RAG_LLM_TIMEOUT"] + MOMENT
    assert len({at for at, leg in faults["qdrant"].calls if leg == "keyword"}) <= limits["QDRANT_MAX_RETRIES"]
    sent = faults["gateway"].calls
    assert len(sent) <= limits["QDRANT_MAX_RETRIES"]
    for (at, _path), timeout in zip(sent, faults["gateway"].timeouts, strict=True):
        left = limits["RAG_LLM_TIMEOUT"] - at
        assert timeout["read"] <= min(left, limits["LLM_REQUEST_TIMEOUT"]) + MOMENT
        assert timeout["connect"] <= min(left, limits["LLM_CONNECT_TIMEOUT"]) + MOMENT
    seen = [fate for fate in (fates["gateway"] + [("fine", 0.0)] * 9)[: len(sent)] if fate[0] != "refused"]
    assert len(seen) <= 1
