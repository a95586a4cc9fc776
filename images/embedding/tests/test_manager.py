"""One shared load, honest status, no gap while reloading."""

import asyncio
import dataclasses
import os
import threading

import pytest
from coderag_embedding.manager import LONGEST_WAIT, LoadFailedError, ModelManager, resident_megabytes

FIELDS = {"is_loaded", "model_name", "load_time", "memory_usage", "device", "error_message", "revision"}


class Loader:
    """Loads what it is given, one result after the other; an exception is raised."""

    def __init__(self, *results):
        self.results = list(results)
        self.calls = 0
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self):
        """Load the next one."""
        self.calls += 1
        assert self.gate.wait(20)
        result = self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result


def manager_of(loader, **options):
    return ModelManager("tiny", "cpu", loader, **options)


def test_the_status_has_exactly_its_fields_before_anything_is_loaded():
    status = dataclasses.asdict(manager_of(Loader()).status())
    assert set(status) == FIELDS
    assert status == {
        "is_loaded": False, "model_name": "tiny", "load_time": None,
        "memory_usage": 0.0, "device": "cpu", "error_message": None, "revision": None,
    }  # fmt: skip


async def test_after_loading_the_status_has_seconds_and_megabytes(model_factory):
    manager = manager_of(Loader(model_factory()))
    await manager.load()
    status = manager.status()
    assert status.is_loaded
    assert status.load_time >= 0
    assert 1 < status.memory_usage < 100_000
    assert (status.error_message, status.revision) == (None, "r1")


async def test_many_who_ask_at_once_share_one_load(model_factory):
    loader = Loader(model_factory())
    models = await asyncio.gather(*(manager_of_shared.load() for manager_of_shared in [manager_of(loader)] * 20))
    assert loader.calls == 1
    assert len(set(map(id, models))) == 1


async def test_a_caller_who_leaves_does_not_stop_the_load_of_the_others(model_factory):
    loader = Loader(model_factory())
    loader.gate.clear()
    manager = manager_of(loader)
    first, second = asyncio.create_task(manager.load()), asyncio.create_task(manager.load())
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    loader.gate.set()
    assert await second is manager.model
    assert loader.calls == 1


async def test_a_reload_serves_the_old_model_until_the_new_one_is_there(model_factory):
    old, new = model_factory(revision="old"), model_factory(revision="new")
    loader = Loader(old, new)
    manager = manager_of(loader)
    await manager.load()
    loader.gate.clear()
    reload = asyncio.create_task(manager.load())
    await asyncio.sleep(0)
    assert manager.model is old
    loader.gate.set()
    assert await reload is new
    assert manager.model is new


async def test_a_failed_reload_keeps_the_model_and_says_why(model_factory):
    model = model_factory()
    manager = manager_of(Loader(model, ValueError("checksum"), model_factory(revision="repaired")))
    await manager.load()
    with pytest.raises(LoadFailedError, match="ValueError: checksum"):
        await manager.load()
    assert manager.model is model
    assert manager.status().is_loaded
    assert manager.status().error_message == "ValueError: checksum"
    await manager.load()
    assert manager.status().error_message is None


async def test_a_load_that_fails_is_tried_again_with_longer_waits(model_factory):
    waits = []

    async def wait(seconds):
        waits.append(seconds)

    manager = manager_of(Loader(*[OSError("no volume")] * 8, model_factory()), wait=wait)
    await manager.load_until_ready()
    assert waits == [1, 2, 4, 8, 16, 32, LONGEST_WAIT, LONGEST_WAIT]
    assert manager.status().is_loaded


async def test_a_repair_by_reload_ends_the_trying(model_factory):
    loader = Loader(OSError("no volume"), model_factory())
    manager = manager_of(loader, wait=lambda _: manager.load())
    await manager.load_until_ready()
    assert loader.calls == 2


async def test_stopping_during_a_load_is_quiet(model_factory):
    loader = Loader(model_factory())
    manager = manager_of(loader)
    loading = asyncio.create_task(manager.load())
    await asyncio.sleep(0)
    manager._loading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loading
    assert manager.model is None


async def test_a_fallback_serves_under_its_own_name_until_the_first_model_can_be_loaded(model_factory):
    first, second = model_factory(), model_factory(name="second", revision="r2")
    seen = []

    async def wait(seconds):
        seen.append(manager.status())

    loader, fallback = Loader(OSError("no volume"), OSError("no volume"), first), Loader(second)
    manager = manager_of(loader, wait=wait, fallback=fallback)
    await manager.load_until_ready()
    assert [(one.is_loaded, one.model_name, one.revision) for one in seen] == [(True, "second", "r2")] * 2
    assert seen[0].error_message == "OSError: no volume; second serves in its place"
    assert (manager.model, manager.fell_back, manager.status().error_message) == (first, False, None)
    assert fallback.calls == 1


async def test_when_both_fail_both_reasons_are_told():
    manager = manager_of(Loader(OSError("no volume")), fallback=Loader(ValueError("checksum")))
    with pytest.raises(LoadFailedError, match="OSError: no volume; the fallback failed too: ValueError: checksum"):
        await manager.load()
    assert not manager.status().is_loaded


async def test_a_failed_reload_does_not_exchange_the_model_for_the_fallback(model_factory):
    model, fallback = model_factory(), Loader()
    manager = manager_of(Loader(model, ValueError("checksum")), fallback=fallback)
    await manager.load()
    with pytest.raises(LoadFailedError):
        await manager.load()
    assert (manager.model, fallback.calls) == (model, 0)


async def test_a_lazy_model_is_loaded_once_by_those_who_ask_first(model_factory):
    loader = Loader(model_factory())
    manager = manager_of(loader, lazy=True)
    manager.start()
    assert (manager.idle, loader.calls) == (True, 0)
    models = await asyncio.gather(*(manager.demand() for _ in range(9)))
    assert (len(set(map(id, models))), loader.calls, manager.idle) == (1, 1, False)
    await manager.stop()


async def test_a_lazy_model_that_cannot_be_loaded_has_a_reason(model_factory):
    manager = manager_of(Loader(OSError("no volume")), lazy=True)
    assert await manager.demand() is None
    assert (manager.error, manager.idle) == ("OSError: no volume", False)
    await manager.stop()


def test_memory_is_counted_in_megabytes(tmp_path):
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "statm").write_text("9999 2560 1 1 0 1 0")
    assert resident_megabytes(7, tmp_path) == 10.0
    assert resident_megabytes(8, tmp_path) == 0.0  # it has ended


async def test_memory_is_that_of_all_processes_that_hold_the_model(model_factory):
    helpers = [os.getpid()] * 2
    manager = ModelManager("tiny", "cpu", model_factory, helpers=lambda: helpers)
    await manager.load()
    three, helpers[:] = manager.status().memory_usage, []
    assert three > 2 * manager.status().memory_usage
