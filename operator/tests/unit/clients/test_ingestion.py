"""The worker's status is asked for with a key, within limits, and no failure shows the key."""

import httpx
import pytest
from coderag_operator.clients.ingestion import SIZE_LIMIT, Refused, Unavailable, read_status

ANSWERS = {
    "refused": httpx.Response(401),
    "broken": httpx.Response(500),
    "no-json": httpx.Response(200, text="<html>"),
    "no-status": httpx.Response(200, json=[]),
    "too-large": httpx.Response(200, content=b" " * (SIZE_LIMIT + 1)),
}


async def ask(answer: httpx.Response | Exception) -> object:
    def handle(request: httpx.Request) -> httpx.Response:
        assert request.headers["Authorization"] == "Bearer the-key"
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as client:
        return await read_status(client, "http://demo-ingestion.team.svc:8005", "the-key")


async def test_a_report_is_read() -> None:
    report = await ask(httpx.Response(200, json={"identity": "i", "repositories": []}))
    assert report.identity == "i"  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ANSWERS)
async def test_an_odd_answer_is_a_failure_without_the_key(name: str) -> None:
    with pytest.raises(Refused if name == "refused" else Unavailable) as caught:
        await ask(ANSWERS[name])
    assert "the-key" not in str(caught.value)


async def test_a_worker_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="ConnectError"):
        await ask(httpx.ConnectError("the-key"))
