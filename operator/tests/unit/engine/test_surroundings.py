"""Health, metrics, Events and logs around the passes."""

import json
import logging
import sys
from collections import Counter
from typing import Any

import httpx
import pytest
from coderag_operator.engine.health import LEADING, STANDBY, STOPPING, SYNCING, Health, serve_metrics, start_server
from coderag_operator.engine.logs import JsonFormatter, configure
from coderag_operator.engine.metrics import Metrics
from coderag_operator.engine.recorder import Recorder
from coderag_operator.errors import Transient
from coderag_operator.events import Notice
from coderag_operator.reconcile import Outcome
from tests.support.memory_kube import MemoryKube

STACK = {"metadata": {"name": "demo", "namespace": "team", "uid": "s1"}}
NOTICE = Notice("Warning", "Degraded", "down: rag")


async def test_health_says_live_always_and_ready_when_it_is() -> None:
    health = Health()
    runner, port = await start_server("127.0.0.1", 0, {"/healthz": health.live, "/readyz": health.ready})
    found = {}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        for phase in (STANDBY, SYNCING, LEADING, STOPPING):
            health.phase = phase
            found[phase] = (await client.get("/readyz")).status_code
            assert (await client.get("/healthz")).status_code == 200
    await runner.cleanup()
    assert found == {STANDBY: 200, SYNCING: 503, LEADING: 200, STOPPING: 503}


async def test_metrics_show_conditions_until_the_stack_is_gone() -> None:
    metrics = Metrics()
    conditions = ({"type": "Ready", "status": "True"},)
    metrics.count(("team", "demo"), Outcome(applied=Counter(Service=2), deleted=Counter(Job=1), conditions=conditions))
    runner, port = await start_server("127.0.0.1", 0, {"/metrics": serve_metrics(metrics.registry)})
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        text = (await client.get("/metrics")).text
        assert 'coderag_stack_condition{condition="Ready",namespace="team",stack="demo",status="True"} 1.0' in text
        assert 'coderag_applies_total{kind="Service"} 2.0' in text
        metrics.forget(("team", "demo"))
        assert 'stack="demo"' not in (await client.get("/metrics")).text
    await runner.cleanup()


def test_equal_notices_are_one_event() -> None:
    kube = MemoryKube()
    recorder = Recorder(kube, "pod-1")
    recorder.post(STACK, [NOTICE])
    recorder.post(STACK, [NOTICE])
    recorder.post(STACK, [Notice("Normal", "Ready", "all")])
    events = list(kube.of("Event"))
    assert len(events) == 2
    assert events[0]["involvedObject"]["uid"] == "s1"
    assert events[0]["source"] == {"component": "coderag-operator"}


def test_an_event_that_cannot_be_posted_is_logged_and_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    kube = MemoryKube()
    kube.before = lambda verb, name: Transient("Unreachable", "gone")
    Recorder(kube, "pod-1").post(STACK, [NOTICE])
    assert "Event could not be posted" in caplog.text


def format_line(**more: Any) -> dict[str, Any]:
    record = logging.makeLogRecord({"msg": "Reconciled %s", "args": ("it",), "levelname": "INFO", "name": "x", **more})
    return dict(json.loads(JsonFormatter().format(record)))


def test_a_log_line_is_json_with_the_stack_beside_the_message() -> None:
    line = format_line(stack="team/demo")
    assert (line["message"], line["stack"], line["level"]) == ("Reconciled it", "team/demo", "INFO")


def test_a_log_line_carries_the_exception() -> None:
    try:
        raise ValueError("odd")
    except ValueError:
        assert "ValueError: odd" in format_line(exc_info=sys.exc_info())["exception"]


@pytest.mark.parametrize(("level", "quiet"), [("INFO", logging.WARNING), ("DEBUG", logging.DEBUG)])
def test_libraries_speak_only_when_something_is_wrong(
    level: str, quiet: int, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    before, at = list(root.handlers), root.level
    try:
        configure(level)
        logging.getLogger("coderag_operator").info("Said")
        assert logging.getLogger("kopf").level == quiet
        assert json.loads(capsys.readouterr().out)["message"] == "Said"
    finally:
        root.handlers[:] = before
        root.setLevel(at)
