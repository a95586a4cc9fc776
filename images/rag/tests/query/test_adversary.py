"""Hundreds of answers of a model that cites, invents, omits and garbles: every citation is held against Git.

What is returned must be exactly what was cited of what was offered, with the lines that Git has at that commit; and no
number that nobody offered may be left in the text outside of code, however the answer was cut into pieces.
"""

import json
import random
import re
import subprocess
from dataclasses import dataclass, field

import pytest
from coderag_rag.store.schema import head_id

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

ASKS, STREAMS = 400, 120
OFFERED = re.compile(r"^\[(\d+)\] app (\S+):(\d+)-(\d+)\n<source-", re.M)
FENCED = re.compile(r"^```.*?^```$", re.M | re.S)
SPAN = re.compile(r"`[^`\n]*`")
BRACKETED = re.compile(r"[\[【［]([^\[\]【】［］\n]*)[\]】］]")
ONE = ["[{0}]", "[ {0} ]", "[0{0}]", "[Source {0}]", "[source: {0}]", "[ref {0}]", "[^{0}]", "[[{0}]]", "【{0}】",
       "［{0}］",        "【{0}†file】", "[#{0}]", "[출처 {0}]", "[see {0}]", "[{0},]"]  # fmt: skip
TWO = ["[{0}, {1}]", "[{0};{1}]", "[{0}][{1}]", "[{0} and {1}]", "[{0}, and {1}]", "[{0} & {1}]", "[{0}/{1}]",
       "[Sources {0} and {1}]", "[출처 {0}, 출처 {1}]"]  # fmt: skip
RANGES = ["[{0}-{1}]", "[{0}–{1}]", "[{0} to {1}]", "[Sources {0}-{1}]", "【{0}~{1}】"]
GARBLED = [
    "[",
    "]",
    "[]",
    "[ ]",
    "[one]",
    "[a, b]",
    "[citation needed]",
    "[99",
    "99]",
    "[[",
    "[x",
    "【",
    "**[**",
    "[-]",
    "!",
]
CODE = ["`a[99]`", "`[98]` and `x[1]`", "\n```python\nrow[99] = [97]\n```\n", "\n~~~\n[96](http://evil.example)\n~~~\n"]
WORDS = ["It waits", "see", "the queue", "재시도는 여기", "so", "값", "and then", "because", "a < b", "done."]


class Script:
    """One answer, made up from a seed for the sources that a prompt offers; knows what it cites and what it invents."""

    def __init__(self, seed: int, offered: list[int]) -> None:
        self.random, self.offered = random.Random(seed), offered
        self.cited: set[int] = set()
        parts = [self._part() for _ in range(self.random.randint(0, 9))]
        self.text = "I say" + "".join(self.random.choice([" ", " ", "\n", ""]) + part for part in parts) + " end"

    @property
    def pieces(self) -> list[str]:
        """The text, cut anywhere."""
        cuts, at = [], 0
        while at < len(self.text):
            size = self.random.choice([1, 1, 2, 3, 5, 40])
            cuts.append(self.text[at : at + size])
            at += size
        return cuts

    def _part(self) -> str:
        kinds = [self._valid, self._valid, self._invented, self._mixed, self._listed, self._linked]
        made = self.random.choice([*kinds, WORDS, WORDS, GARBLED, CODE])
        return f" {self.random.choice(made) if isinstance(made, list) else made()} "

    def _cite(self, *numbers: int) -> tuple[int, ...]:
        self.cited.update(number for number in numbers if number in self.offered)
        return numbers

    def _valid(self) -> str:
        low, high = sorted(self.random.choices(self.offered, k=2))
        kind = self.random.choice([ONE, ONE, TWO, RANGES])
        self._cite(*(range(low, high + 1) if kind is RANGES else (low, high) if kind is TWO else (low,)))
        return self.random.choice(kind).format(low, high)

    def _wrong(self) -> int:
        return self.random.choice([0, max(self.offered) + 1, 99, 4711, 10**12])

    def _invented(self) -> str:
        wrong = self._wrong()
        return self.random.choice([*ONE, *TWO]).format(wrong, wrong + 1 if wrong else 98)

    def _mixed(self) -> str:
        (right,) = self._cite(self.random.choice(self.offered))
        form = self.random.choice([*TWO, "[{0}-{1}]"])
        if form == "[{0}-{1}]":
            self._cite(*[number for number in self.offered if number >= right])
        return form.format(right, max(self.offered) + self.random.randint(1, 9))

    def _listed(self) -> str:
        right, _ = self._cite(self.random.choice(self.offered), 0)
        heading = self.random.choice(["Sources:", "## References", "**Sources**", "출처:"])
        return f"\n\n{heading}\n[{right}] app etc/passwd:1-9 @badc0de\n- [{self._wrong()}] app secret.py:1-2\n\n"

    def _linked(self) -> str:
        right, _ = self._cite(self.random.choice(self.offered), 0)
        return self.random.choice(
            [
                f"[{right}](http://evil.example/x)",
                f"\n[{right}]: http://evil.example/x\n",
                f"![{right}](http://evil.example)",
            ]
        )


@dataclass
class Adversary:
    """The scripted gateway with another answer for every request."""

    inner: object
    seed: int = 0
    script: Script | None = None
    offered: dict = field(default_factory=dict)

    def __call__(self, request):
        if request.method == "POST":
            prompt = json.loads(request.content)["messages"][-1]["content"]
            self.offered = {int(n): (path, int(a), int(b)) for n, path, a, b in OFFERED.findall(prompt)}
            self.seed += 1
            self.script = Script(self.seed, sorted(self.offered))
            self.inner.pieces = self.script.pieces
        return self.inner(request)


@pytest.fixture
def gateway(gateway):
    return Adversary(gateway)


def git(folder, *words):
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
async def repository(tmp_path, index, make_file, look):
    """A Git repository whose head is served, in files of one chunk."""
    files = [make_file(f"pkg/part{n}.py", source(n), (f"part{n}", f"retry{n}")) for n in range(12)]
    for file in files:
        path = tmp_path / file.path
        path.parent.mkdir(exist_ok=True)
        path.write_text(file.text)
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", "-A")
    git(tmp_path, "-c", "user.name=T", "-c", "user.email=t@example.com", "commit", "-qm", "Files")
    commit = git(tmp_path, "rev-parse", "HEAD").strip()
    await index.serve("app", *files)
    await index.client.set_payload(index.name, {"commit": commit}, points=[head_id("app", "main")])
    await look()
    return tmp_path


def source(number):
    lines = [f"    step_{line}(queue, {number})  # [{line}] waits" for line in range(2 + number)]
    return "\n".join([f"def retry{number}(queue):", *lines, f"    return part{number}(queue)", ""])


def lines_of(cache, folder, commit, path):
    if (commit, path) not in cache:
        cache[commit, path] = git(folder, "show", f"{commit}:{path}").splitlines()
    return cache[commit, path]


def check(answer, citations, gateway, folder, cache):
    """Hold one answer against its script and against Git; return how many citations it had."""
    numbers = [int(item["marker"].strip("[]")) for item in citations]
    assert set(numbers) == gateway.script.cited, (gateway.script.text, answer)
    assert len(numbers) == len(set(numbers))
    for number, item in zip(numbers, citations, strict=True):
        place = (item["path"], item["start_line"], item["end_line"])
        assert place == gateway.offered[number]
        in_git = lines_of(cache, folder, item["commit"], item["path"])[place[1] - 1 : place[2]]
        assert item["text"].splitlines() == in_git
    prose = SPAN.sub("", FENCED.sub("", answer.replace("~~~", "```")))
    left = {int(number) for inner in BRACKETED.findall(prose) for number in re.findall(r"\d+", inner)}
    assert left <= set(gateway.offered), (gateway.script.text, answer)
    assert not re.search(r"\]\(http|!\[|^\s*\[[^\]]*\]:", prose, re.M), answer
    assert "etc/passwd" not in prose
    assert "secret.py" not in prose
    return len(numbers)


async def test_no_invented_citation_is_kept_and_no_valid_one_lost_over_whole_answers(service, repository, gateway):
    cache, cited = {}, 0
    for number in range(ASKS):
        body = {"question": f"How does retry{number % 12} wait for the queue?", "limit": 1 + number % 8}
        answer = await service.http.post("/v1/ask", json=body)
        assert answer.status_code == 200, answer.text
        cited += check(answer.json()["answer"], answer.json()["citations"], gateway, repository, cache)
    assert gateway.seed == ASKS
    assert cited > ASKS


async def test_nor_over_streams(service, repository, gateway):
    cache, cited = {}, 0
    gateway.seed = 10_000
    for number in range(STREAMS):
        turn = {"role": "user", "content": f"How does retry{number % 12} wait for the queue?"}
        body = {"model": "coderag", "messages": [turn], "stream": True}
        answer = await service.http.post("/v1/chat/completions", json=body)
        events = [json.loads(event[6:]) for event in answer.text.split("\n\n") if event and event != "data: [DONE]"]
        text = "".join(event["choices"][0]["delta"].get("content", "") for event in events)
        own = text.rpartition("\n\nSources:\n")[0] if events[-1]["citations"] else text
        cited += check(own, events[-1]["citations"], gateway, repository, cache)
    assert cited > STREAMS
