"""A changed identity is built beside the searched index, judged, and only then searched; the old one goes later."""

import json
from datetime import timedelta

import httpx
import pytest
from coderag_rag.ingestion.gate import Verdict
from coderag_rag.ingestion.source import Key
from coderag_rag.ingestion.trial import Trial
from coderag_rag.store.collection import live_collection

from .conftest import FakeEmbedding

pytestmark = pytest.mark.slow

FILES = {
    f"{noun}.py": f'def {verb}_{noun}(value):\n    """{verb.title()} the {noun} of one customer in a single pass."""\n'
    f"    return {verb}(value, {noun!r})  # the usual way to {verb} what a {noun} holds\n"
    for noun, verb in (("invoice", "print"), ("ledger", "close"), ("parcel", "send"), ("ticket", "answer"))
}


class Refusing:
    """A judge with a fixed opinion that counts how often it was asked."""

    def __init__(self, passed):
        self.passed, self.asked = passed, 0

    async def verdict(self, editions):
        self.asked += 1
        return Verdict(self.passed, "because", 500, -0.1, -0.05)


@pytest.fixture
async def desk(desk, bench):
    """A served repository, and then another embedding model while the former one still runs."""
    remote = bench.remote("app")
    remote.commit(FILES)
    desk.add("app", remote)
    desk.remote = remote
    desk.build()
    await desk.sync()
    desk.old = await live_collection(bench.call)
    bench.second = FakeEmbedding(dimensions=bench.embedding.dimensions)
    bench.embedding.model, bench.embedding.dimensions = "better", 48
    return desk


async def live(desk):
    return await live_collection(desk.bench.call)


async def test_the_first_index_is_searched_at_once_and_nothing_is_under_way(desk):
    status = await desk.status()
    assert status["promotion"] == {
        "state": "Idle", "from": None, "to": None, "queries": 0, "ndcg_change": None, "upper95": None, "reason": "",
        "since": "",
    }  # fmt: skip
    assert status["served"] == {"identity": status["identity"], "model": "fake"}


async def test_a_new_model_is_searched_once_it_serves_all_and_has_passed(desk, bench):
    identity = (await desk.status())["identity"]
    desk.build()
    await desk.worker.synchroniser.open()
    await desk.worker.promote()
    status = await desk.status()
    assert (status["promotion"]["state"], status["promotion"]["reason"]) == ("Building", "0 of 1 refs are built")
    assert status["served"] == {"identity": identity, "model": "fake"}
    assert await live(desk) == desk.old
    await desk.sync()
    status = await desk.status()
    assert status["promotion"]["state"] == "Promoted"
    assert status["promotion"]["from"] == f"fake {identity[:12]}"
    assert status["promotion"]["to"] == f"better {status['identity'][:12]}"
    assert status["served"] == {"identity": status["identity"], "model": "better"}
    assert status["repositories"][0]["state"] == "Served"
    assert await live(desk) != desk.old


async def test_while_it_is_built_and_judged_the_searched_index_follows_the_repository(desk):
    desk.judge = judge = Refusing(passed=False)
    desk.build()
    await desk.sync()
    commit = desk.remote.commit({"new.py": "def new():\n    pass\n"})
    await desk.sync()
    status = await desk.status()
    assert status["promotion"]["state"] == "Refused"
    assert (status["promotion"]["queries"], status["promotion"]["ndcg_change"]) == (500, -0.1)
    assert await live(desk) == desk.old
    assert (status["repositories"][0]["commit"], status["repositories"][0]["files"]) == (commit, 5)
    assert judge.asked == 1
    desk.now += timedelta(days=1)
    await desk.worker.promote()
    assert judge.asked == 2


async def test_manual_promotion_waits_with_the_numbers_until_the_configuration_says_auto(desk):
    desk.mode, desk.judge = "Manual", Refusing(passed=True)
    desk.build()
    await desk.sync()
    status = (await desk.status())["promotion"]
    assert (status["state"], status["upper95"]) == ("Waiting", -0.05)
    assert status["reason"] == "promotion is Manual; because"
    assert await live(desk) == desk.old
    desk.mode = "Auto"
    desk.build()
    assert (await desk.status())["promotion"]["state"] == "Waiting"
    await desk.worker.promote()
    assert (await desk.status())["promotion"]["state"] == "Promoted"
    assert await live(desk) != desk.old


async def test_the_replaced_index_stays_for_a_day_and_the_way_back_costs_no_embedding(desk, bench):
    desk.build()
    await desk.sync()
    assert await bench.qdrant.collection_exists(desk.old)
    bench.embedding, bench.second = bench.second, bench.embedding
    embedded = len(bench.embedding.texts)
    desk.build()
    await desk.sync()
    assert await live(desk) == desk.old
    assert len(bench.embedding.texts) == embedded
    desk.now += timedelta(hours=25)
    await desk.worker.promote()
    names = [one.name for one in (await bench.qdrant.get_collections()).collections]
    assert names == [desk.old]


async def test_changing_one_s_mind_while_building_leaves_all_as_it_was(desk, bench):
    desk.judge = Refusing(passed=False)
    desk.build()
    await desk.sync()
    bench.embedding, bench.second = bench.second, None
    desk.build()
    await desk.sync()
    assert (await desk.status())["promotion"]["state"] == "Idle"
    assert await live(desk) == desk.old


async def test_without_the_former_model_the_searched_index_stays_as_it_is_until_the_flip(desk, bench):
    bench.second = None
    desk.judge = Refusing(passed=False)
    desk.build()
    before = desk.remote.git("rev-parse", "HEAD")
    desk.remote.commit({"new.py": "def new():\n    pass\n"})
    await desk.sync()
    row = (await desk.status())["repositories"][0]
    assert (row["state"], row["commit"]) == ("Served", before)


async def test_a_wanted_model_that_does_not_answer_keeps_nobody_from_the_searched_index(desk, bench):
    bench.embedding.refuse = httpx.Response(503, text="loading")
    desk.build()
    commit = desk.remote.commit({"new.py": "def new():\n    pass\n"})
    await desk.sync()
    assert desk.state().head.commit == commit
    assert (await desk.status())["promotion"]["state"] == "Idle"


async def test_a_verdict_that_cannot_be_reached_is_tried_again(desk, bench, caplog):
    desk.build()
    await desk.worker.sync(Key("app", "main"))
    bench.embedding.refuse = httpx.Response(401, text="no")
    bench.second.refuse = httpx.Response(401, text="no")
    await desk.worker.promote()
    assert "cannot be judged yet" in caplog.text


async def test_what_was_promoted_is_remembered_and_a_damaged_memory_is_no_obstacle(desk, bench, caplog):
    desk.build()
    await desk.sync()
    desk.build()
    assert (await desk.status())["promotion"]["state"] == "Promoted"
    (bench.folder / "promotion.json").write_text(json.dumps({"unknown": 1}))
    desk.build()
    assert (await desk.status())["promotion"]["state"] == "Idle"
    assert "promoted last is not known" in caplog.text


async def test_a_memory_that_cannot_be_written_is_told(desk, bench, caplog):
    (bench.folder / "promotion.json").unlink(missing_ok=True)
    (bench.folder / "promotion.new").mkdir()
    desk.build()
    await desk.sync()
    assert "could not be written down" in caplog.text
    assert (await desk.status())["promotion"]["state"] == "Promoted"


def trial(desk):
    sources = {key: source for key, (_, source) in desk.configured.items()}
    return Trial(desk.bench.opener(), desk.bench.preparer, sources)


async def judged(desk):
    """Build the new index, and let the real judge look at it."""
    desk.judge = Refusing(passed=False)
    desk.build()
    await desk.sync()
    return await trial(desk).verdict(await desk.worker.synchroniser.open())


async def test_with_few_queries_chunks_must_find_themselves(desk):
    verdict = await judged(desk)
    assert (verdict.passed, verdict.queries, verdict.ndcg_change) == (True, 4, None)
    assert verdict.reason.startswith("4 mined queries are fewer than 400; complete, and 100% of 4 chunks")


async def test_without_the_former_model_there_is_nothing_to_compare_with(desk, bench):
    bench.second = None
    verdict = await judged(desk)
    assert (verdict.passed, verdict.queries) == (True, 0)
    assert verdict.reason.startswith("the model of the searched index runs no more")


async def test_a_model_whose_vectors_say_nothing_is_refused(desk, bench):
    bench.embedding.blind = True
    more = {
        f"more{n}.py": f"def part_{n}():\n    return 'something long enough to be looked at {n} times {n}'\n" * 2
        for n in range(40)
    }
    desk.remote.commit(more)
    verdict = await judged(desk)
    assert not verdict.passed
    assert "which is too few" in verdict.reason


async def test_enough_queries_compare_both_indexes_on_commits_and_documentation(desk, bench, monkeypatch):
    for n, (path, text) in enumerate(FILES.items()):
        noun = path.removesuffix(".py")
        desk.remote.commit({path: text + f"# {n}\n"}, f"Let customers see more of the {noun}s they have")
    monkeypatch.setattr("coderag_rag.ingestion.trial.ENOUGH", 6)
    same = await judged(desk)
    assert (same.passed, same.queries) == (True, 8)
    assert same.ndcg_change == pytest.approx(0, abs=0.15)
    assert same.upper95 >= same.ndcg_change


async def test_repositories_without_history_or_copy_are_judged_by_what_is_left(desk, bench):
    await judged(desk)
    desk.remote.path.rename(desk.remote.path.with_name("away"))
    source = desk.configured[Key("app", "main")][1]
    source.repository.discard()
    verdict = await trial(desk).verdict(await desk.worker.synchroniser.open())
    assert verdict.reason.startswith("0 mined queries")
