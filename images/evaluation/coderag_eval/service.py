"""The search service over HTTP: search and ask, with the waits that it asks for itself."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from coderag_eval.matching import Hit
from coderag_eval.questions import Question

_TRIES = 4
_LONGEST_WAIT = 30.0


class ServiceError(Exception):
    """A request was not answered as it should be; the message says by whom, how, and what to look at."""


@dataclass(frozen=True)
class Found:
    """The hits of a question, and what the service says about the index they are from."""

    hits: Sequence[Hit]
    commits: Sequence[str]
    degraded: Sequence[str]
    ranking: str
    seconds: float


class Service:
    """One service under one address. The key travels as a header and is in no message."""

    def __init__(self, url: str, key: str, timeout: float = 120, wait: Callable[[float], None] = time.sleep) -> None:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=timeout)
        self._wait = wait

    def __enter__(self) -> "Service":
        """Hold the connections."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._http.close()

    def search(self, question: Question, limit: int) -> Found:
        """Search for a question; raises ServiceError."""
        started = time.perf_counter()
        body: dict[str, Any] = {"query": question.query, "limit": limit}
        answer = self.post("/v1/search", body | _among(question))
        try:
            hits = [_hit(hit) for hit in answer["hits"]]
            commits = [repository["commit"] for repository in answer.get("repositories", ())]
        except (KeyError, TypeError) as error:
            raise ServiceError(f"/v1/search answered without {error}: is this a CodeRAG search service?") from None
        seconds = time.perf_counter() - started
        return Found(hits, commits, answer.get("degraded", ()), str(answer.get("ranking", "")), seconds)

    def ask(self, question: Question) -> str:
        """Return the answer to a question; raises ServiceError."""
        answer = self.post("/v1/ask", {"question": question.query} | _among(question))
        text = answer.get("answer")
        if not isinstance(text, str):
            raise ServiceError("/v1/ask answered without `answer`: is this a CodeRAG search service?")
        return text

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Post JSON and return the JSON object of the answer; 429 and 503 are tried again when they say so."""
        for attempt in range(1, _TRIES + 1):
            response = self._send(path, body)
            if response.status_code not in (429, 503) or attempt == _TRIES:
                return _object(path, response)
            self._wait(min(_seconds(response), _LONGEST_WAIT))
        raise AssertionError("unreachable")  # pragma: no cover

    def _send(self, path: str, body: dict[str, Any]) -> httpx.Response:
        try:
            return self._http.post(path, json=body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServiceError(f"{path} was not answered ({type(error).__name__}): check the address") from None


def _among(question: Question) -> dict[str, Any]:
    return {"repositories": list(question.repositories)} if question.repositories else {}


def _hit(hit: dict[str, Any]) -> Hit:
    lines = (hit["start_line"], hit["end_line"])
    around = (hit["within"],) if hit.get("within") else ()  # a part of a long function is that function
    return Hit(hit["repository"], hit["path"], *lines, (*hit.get("symbols", ()), *around))


def _seconds(response: httpx.Response) -> float:
    try:
        return max(0.0, float(response.headers.get("retry-after", "1")))
    except ValueError:
        return 1.0


def _object(path: str, response: httpx.Response) -> dict[str, Any]:
    if response.status_code in (401, 403):
        raise ServiceError(f"{path} refuses the key ({response.status_code}): check the API key")
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if response.status_code != 200 or not isinstance(answer, dict):
        raise ServiceError(f"{path} answered {response.status_code}: {_message(answer)}")
    return answer


def _message(answer: Any) -> str:
    error = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(error, dict):
        return " ".join(str(error[key]) for key in ("message", "hint") if error.get(key))[:300] or "no reason given"
    return "no reason given"
