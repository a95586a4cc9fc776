"""The load is open: arrivals follow the clock alone, and a late start is part of the latency."""

import heapq
import itertools
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.load.arrivals import constant, poisson
from benchmarks.load.openloop import OpenLoop, Outcome, Record

ROOT = Path(__file__).resolve().parents[3]


class World:
    """Virtual time. What is spawned runs beside the sender, and answers come when the script says."""

    def __init__(self) -> None:
        self.time, self.stall_at, self.stall = 0.0, -1.0, 0.0

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        if 0 <= self.stall_at <= self.time:  # the generator itself got no processor
            self.time, self.stall_at = self.time + self.stall, -1.0

    def run(self, dues: list[float], takes: Callable[[float], float]) -> list[Record]:
        """Send all; `takes` says how long the server needs for a request that was sent at a moment."""
        records: list[Record] = []
        pending: list[tuple[float, int, Record]] = []
        order = itertools.count()
        loop = OpenLoop(lambda: self.time, self.sleep, lambda call: call())

        def keep(record: Record) -> None:
            done = record.sent + takes(record.sent)
            answered = Record(record.number, record.due, record.sent, done, record.outcome)
            heapq.heappush(pending, (done, next(order), answered))

        loop.run(dues, lambda _number: Outcome(200), keep)
        records += [record for _, _, record in sorted(pending)]
        return records


@given(st.floats(1, 500), st.floats(0.1, 5), st.floats(0, 100))
def test_a_slow_server_gets_no_fewer_requests_and_none_later(rate: float, seconds: float, slow: float) -> None:
    dues = list(constant(rate, seconds))
    records = World().run(dues, lambda _sent: slow)
    assert [record.due for record in sorted(records, key=lambda one: one.number)] == dues
    assert all(record.sent == pytest.approx(record.due) for record in records)


def test_requests_that_arrive_while_the_server_stands_still_are_charged_for_the_rest_of_it() -> None:
    def standstill(sent: float) -> float:
        return max(3.0 - sent, 0.0) + 0.01 if sent >= 1.0 else 0.01

    records = World().run(list(constant(10, 4)), standstill)
    late = {round(one.due, 3): round(one.latency, 3) for one in records if 1.0 <= one.due < 3.0}
    assert len(late) == 20
    assert late[1.0] == 2.01
    assert late[2.9] == 0.11


def test_a_generator_that_was_held_up_charges_the_requests_that_it_sent_late() -> None:
    world = World()
    world.stall_at, world.stall = 1.0, 2.0
    records = sorted(world.run(list(constant(10, 4)), lambda _sent: 0.01), key=lambda one: one.number)
    assert records[10].lateness == pytest.approx(2.0)
    assert records[20].latency == pytest.approx(1.01)
    assert records[35].latency == pytest.approx(0.01)


@given(st.floats(1, 300), st.floats(0.5, 4), st.integers(0, 9))
def test_poisson_arrivals_are_as_many_as_constant_ones_in_order_and_repeatable(
    rate: float, seconds: float, seed: int
) -> None:
    found = list(poisson(rate, seconds, seed))
    assert len(found) == len(list(constant(rate, seconds)))
    assert found == sorted(found) == list(poisson(rate, seconds, seed))
    assert all(0 <= due <= seconds for due in found)


def test_poisson_gaps_are_as_irregular_as_those_of_independent_callers() -> None:
    dues = list(poisson(100, 100, 7))
    gaps = [after - before for before, after in itertools.pairwise(dues)]
    mean = sum(gaps) / len(gaps)
    spread = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert spread / mean == pytest.approx(1.0, abs=0.1)


class Holding(BaseHTTPRequestHandler):
    """Answers nobody before `together` callers are there: who waits for answers never gets one."""

    protocol_version = "HTTP/1.1"
    everyone: threading.Barrier

    def log_message(self, *_: object) -> None:
        """Stay quiet."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.everyone.wait()
        body = b'{"degraded":[]}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.mark.slow
def test_the_generator_does_not_wait_for_answers(tmp_path: Path) -> None:
    together = 60
    handler = type("Held", (Holding,), {"everyone": threading.Barrier(together, timeout=90)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    (tmp_path / "texts.json").write_text(json.dumps(["a", "b"]))
    plan = {"url": f"http://127.0.0.1:{server.server_port}", "path": "/v1/search", "key": "k", "field": "query"}
    plan |= {"texts": str(tmp_path / "texts.json"), "records": str(tmp_path / "records.jsonl")}
    plan |= {"rate": together, "seconds": 1, "arrivals": "constant", "timeout": 100}
    command = [sys.executable, "-m", "benchmarks.load.generator"]
    try:
        subprocess.run(command, input=json.dumps(plan), text=True, check=True, cwd=ROOT, timeout=110)
    finally:
        server.shutdown()
        server.server_close()
    rows = [json.loads(line) for line in (tmp_path / "records.jsonl").read_text().splitlines()]
    assert [row["outcome"]["status"] for row in rows] == [200] * together
    last = max(row["sent"] for row in rows)
    assert all(row["done"] >= last for row in rows)  # nobody was answered before the last had been sent
