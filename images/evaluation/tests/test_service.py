"""The search service over HTTP: what is sent, what is waited for, what is an error."""

import pytest
from coderag_eval.matching import Hit
from coderag_eval.questions import Expected, Question
from coderag_eval.retrieval import measure
from coderag_eval.service import Service, ServiceError

from .conftest import found, hit

QUESTION = Question(id="1", query="where", expected=(Expected(path="a.py"),), repositories=("app",))


@pytest.fixture
def waits():
    return []


@pytest.fixture
def service(script, waits):
    with Service(script.url + "/", "the-key", wait=waits.append) as service:
        yield service


def test_a_search_sends_the_query_the_filter_and_the_key(script, service):
    script.on("/v1/search", (200, found(hit("a.py", ("A.f",)))))
    answer = service.search(QUESTION, 10)
    assert script.asked == [
        ("/v1/search", {"query": "where", "limit": 10, "repositories": ["app"]}, "Bearer the-key"),
    ]
    assert answer.hits == [Hit("app", "a.py", 1, 9, ("A.f",))]
    assert (answer.commits, answer.ranking) == (["c1"], "ranking/3")


def test_a_part_of_a_definition_is_the_definition(script, service):
    script.on("/v1/search", (200, found(hit("a.py") | {"within": "A.f"}, hit("b.py") | {"within": ""})))
    assert [hit.symbols for hit in service.search(QUESTION, 10).hits] == [("A.f",), ()]


def test_a_busy_service_is_asked_again_when_it_says(script, service, waits):
    busy = (429, {}, {"retry-after": "7"})
    script.on("/v1/search", busy, (503, {}, {"retry-after": "600"}), (503, {}, {"retry-after": "soon"}), (200, found()))
    assert service.search(QUESTION, 10).hits == []
    assert waits == [7.0, 30.0, 1.0]


def test_one_that_stays_busy_is_an_error(script, service, waits):
    script.on("/v1/search", (503, {"error": {"message": "qdrant is down", "hint": "wait"}}))
    with pytest.raises(ServiceError, match="503: qdrant is down wait"):
        service.search(QUESTION, 10)
    assert len(waits) == 3


@pytest.mark.parametrize(
    ("reply", "named"),
    [
        ((401, {}), "refuses the key"),
        ((500, b"oops"), "500: no reason given"),
        ((404, {"error": "text"}), "404: no reason given"),
        ((200, ["no object"]), "200: no reason given"),
        ((200, {"results": []}), "without 'hits'"),
        ((200, {"hits": [{"path": "a"}]}), "without 'start_line'"),
    ],
)
def test_what_is_no_answer_is_named(script, service, reply, named):
    script.on("/v1/search", reply)
    with pytest.raises(ServiceError, match=named) as refused:
        service.search(QUESTION, 10)
    assert "the-key" not in str(refused.value)


def test_a_service_that_is_not_there_is_named():
    with Service("http://127.0.0.1:1", "") as service, pytest.raises(ServiceError, match="check the address"):
        service.search(QUESTION, 10)


def test_an_ask_returns_the_answer(script, service):
    script.on("/v1/ask", (200, {"answer": "because"}), (200, {"text": "because"}))
    assert service.ask(QUESTION) == "because"
    with pytest.raises(ServiceError, match="without `answer`"):
        service.ask(QUESTION)


def test_a_mined_question_is_not_asked_of_another_commit(script, service):
    script.on("/v1/search", (200, found(hit("a.py"))))
    mined = QUESTION.model_copy(update={"commit": "c0"})
    here = mined.model_copy(update={"commit": "c1", "id": "2"})
    answer_only = Question(id="3", query="why", reference="because")
    steps = []
    result = measure(service, [mined, here, answer_only], False, lambda *step: steps.append(step))
    assert result.other_commit == ["1"]
    assert list(result.values) == ["2"]
    assert result.values["2"]["ndcg@10"] == 1.0
    assert steps == [(1, 2), (2, 2)]
    assert set(measure(service, [mined], True, lambda *_: None).values) == {"1"}


def test_a_question_that_fails_is_listed_and_not_counted_as_zero(script, service):
    script.on("/v1/search", (400, {"error": {"message": "too long"}}), (200, found()))
    result = measure(service, [QUESTION, QUESTION.model_copy(update={"id": "2"})], False, lambda *_: None)
    assert result.failed == {"1": "/v1/search answered 400: too long"}
    assert list(result.values) == ["2"]
    assert result.values["2"]["mrr"] == 0.0
