"""Run one scenario against running services and collect what the tables need."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.load.openloop import Outcome, Record
from benchmarks.load.results import Result
from benchmarks.load.samples import Sampler, scrape
from benchmarks.load.services import KEY, ROOT, Stack
from benchmarks.load.usage import spent, usages

_WARM_UP = 5.0  # seconds whose requests count nowhere


@dataclass(frozen=True)
class Scenario:
    """What is sent where: a service and a route, the body apart from the text, and at which rate."""

    name: str
    service: str
    path: str
    field: str
    body: dict[str, Any]
    rate: float
    seconds: float
    arrivals: str
    uses: tuple[str, ...]


def generate(scenario: Scenario, url: str, texts: Sequence[str], seconds: float) -> list[Record]:
    """Let the generator process send; return what it recorded."""
    with tempfile.TemporaryDirectory(prefix="coderag-load-") as folder:
        queries, records = Path(folder) / "texts.json", Path(folder) / "records.jsonl"
        queries.write_text(json.dumps(texts), encoding="utf-8")
        plan = {"url": url, "path": scenario.path, "key": KEY, "field": scenario.field, "body": scenario.body}
        plan |= {"texts": str(queries), "records": str(records), "arrivals": scenario.arrivals}
        plan |= {"rate": scenario.rate, "seconds": seconds}
        command = [sys.executable, "-m", "benchmarks.load.generator"]
        subprocess.run(command, input=json.dumps(plan), text=True, check=True, cwd=ROOT)
        rows = [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()]
    return [Record(**row | {"outcome": Outcome(**row["outcome"])}) for row in rows]


def run(scenario: Scenario, stack: Stack, texts: Sequence[str]) -> Result:
    """Warm up with texts of its own, then measure with the others."""
    url = stack.url(scenario.service)
    warm = min(round(scenario.rate * _WARM_UP), len(texts) // 10)
    generate(scenario, url, texts[:warm], warm / scenario.rate)
    urls = [stack.url(name) for name in ("embedding", "rag") if name in stack.running]
    pids = {name: pid for name, pid in stack.pids.items() if name in scenario.uses}
    load, before = os.getloadavg()[0], usages(pids)
    with Sampler(lambda: scrape(urls)) as sampler:
        records = generate(scenario, url, texts[warm:], scenario.seconds)
    after = usages(pids)
    rss = {name: one.rss for name, one in after.items()}
    cpu = spent(before, after)
    return Result(scenario.name, scenario.rate, scenario.seconds, records, cpu, rss, load, sampler.seen)
