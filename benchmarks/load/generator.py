"""The load generator: Locust, in a process of its own so that its processor time is nobody else's.

    python -m benchmarks.load.generator < plan.json

The plan comes on standard input because a key is in it; the records go to the file that it names, a JSON object a line.
Locust's users wait for their answers (a closed loop); the one user here starts a greenlet for each arrival instead and
puts the time since the arrival was due into Locust's own statistics as well.
"""

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import gevent
import gevent.pool
from locust import FastHttpUser, task
from locust.env import Environment

from benchmarks.load.arrivals import constant, poisson
from benchmarks.load.openloop import OpenLoop, Outcome, Record

_CONNECTIONS = 10_000  # a pool that runs dry would be a queue inside the generator
_OK = 200


@dataclass(frozen=True)
class Plan:
    """What to send where. `field` is the name that the text has in the body, `texts` a file with one JSON list."""

    url: str
    path: str
    key: str
    field: str
    texts: str
    records: str
    rate: float
    seconds: float
    arrivals: str = "poisson"
    seed: int = 1
    body: dict[str, Any] | None = None
    timeout: float = 30.0

    def dues(self) -> Any:
        """Return the moments of all arrivals."""
        if self.arrivals == "constant":
            return constant(self.rate, self.seconds)
        return poisson(self.rate, self.seconds, self.seed)


class Arrivals(FastHttpUser):
    """All callers at once."""

    plan: Plan
    texts: list[str]
    records: list[Record]
    concurrency = _CONNECTIONS
    host = "set from the plan"

    @task
    def arrive(self) -> None:
        """Send everything, wait for the last answer, and end the run."""
        group = gevent.pool.Group()
        loop = OpenLoop(time.monotonic, gevent.sleep, group.spawn)
        loop.run(self.plan.dues(), self.send, self.records.append)
        group.join()
        self.environment.runner.quit()

    def send(self, number: int) -> Outcome:
        """Send one request and say what came of it."""
        plan = self.plan
        body = {plan.field: self.texts[number % len(self.texts)], **(plan.body or {})}
        headers = {"authorization": f"Bearer {plan.key}"}
        answer = self.client.post(plan.path, json=body, headers=headers, name=plan.path, catch_response=True)
        with answer as response:
            status = response.status_code or 0
            error = type(response.error).__name__ if status == 0 else _code(status, response.text)
            response.failure(error) if error else response.success()
            return Outcome(status, error, str((response.headers or {}).get("retry-after", "")))


def _code(status: int, text: str | None) -> str:
    """Return what is wrong with an answer, nothing for one that is whole. A search without one of its legs is not."""
    if status == _OK:
        return "" if '"degraded":[]' in (text or "") else "degraded"
    try:
        return str(json.loads(text or "")["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return "no error object"


def run(plan: Plan) -> list[Record]:
    """Send a whole plan through one Locust environment."""
    texts = json.loads(Path(plan.texts).read_text(encoding="utf-8"))
    records: list[Record] = []
    fields = {"plan": plan, "texts": texts, "records": records, "host": plan.url, "network_timeout": plan.timeout}
    user = type("PlannedArrivals", (Arrivals,), fields)
    environment = Environment(user_classes=[user], catch_exceptions=False)
    runner = environment.create_local_runner()
    runner.start(1, spawn_rate=1)
    runner.greenlet.join()
    return records


def main() -> int:
    """Read the plan from standard input, send, and write the records."""
    plan = Plan(**json.load(sys.stdin))
    records = run(plan)
    with Path(plan.records).open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(record)) + "\n" for record in records)
    return 0


if __name__ == "__main__":
    sys.exit(main())
