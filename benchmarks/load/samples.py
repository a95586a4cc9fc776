"""What services say of themselves while they are under load: queues and searches under way, from their /metrics."""

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx

# Series by the name that the tables show. Each is summed over its labels.
SERIES = {
    "embedding queue": re.compile(r"^coderag_embedding_queue_depth(?:\{lane=\"query\"\})? (\S+)$", re.M),
    "searches under way": re.compile(r"^coderag_searches_running (\S+)$", re.M),
}
PASSAGES = re.compile(r"^coderag_embedding_texts_total\{lane=\"passage\"\} (\S+)$", re.M)


def read_values(text: str, series: Mapping[str, re.Pattern[str]] = SERIES) -> dict[str, float]:
    """Return the value of every series that a page of metrics has."""
    found = {name: pattern.findall(text) for name, pattern in series.items()}
    return {name: sum(map(float, values)) for name, values in found.items() if values}


@dataclass
class Sampler:
    """Looks every second, from a thread of its own, for as long as the block lasts."""

    look: Callable[[], Mapping[str, float]]
    interval: float = 1.0
    seen: dict[str, list[float]] = field(default_factory=dict)

    def __enter__(self) -> "Sampler":
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self.interval):
            for name, value in self.look().items():
                self.seen.setdefault(name, []).append(value)


def scrape(urls: list[str]) -> dict[str, float]:
    """Return the series of all services; one that does not answer in time is left out of this look."""
    values: dict[str, float] = {}
    for url in urls:
        try:
            values |= read_values(httpx.get(f"{url}/metrics", timeout=5).text)
        except httpx.HTTPError:
            continue
    return values


def passages(url: str) -> float:
    """Return how many texts the embedding service has embedded for indexing."""
    found = PASSAGES.findall(httpx.get(f"{url}/metrics", timeout=30).text)
    return float(found[0]) if found else 0.0
