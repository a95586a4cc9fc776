"""Settings from the environment and the start of the process."""

import gc
import signal

import pytest
from coderag_rag import __main__ as program
from coderag_rag.api.app import build_app
from coderag_rag.api.container import memory_limit_mib
from coderag_rag.api.settings import ApiSettings
from coderag_rag.env import Environment, InvalidSetting


def test_the_defaults_are_those_of_the_contract(settings):
    assert (settings.ask.seconds, settings.search.seconds) == (120, 5)
    assert (settings.gateway.request_timeout, settings.gateway.connect_timeout) == (60, 10)
    assert (settings.qdrant.timeout, settings.embedding.timeout) == (30, 30)
    assert settings.keys == ("user-key", "gateway-calls-us")
    assert settings.port == 8002
    assert (settings.search.optional, settings.ask.optional) == (2, 30)
    assert settings.search.schedule is None


@pytest.mark.parametrize(
    ("files", "mib"),
    [
        ({"memory.max": "1073741824\n"}, 1024),
        ({"memory.max": "max\n"}, 0),
        ({"memory/memory.limit_in_bytes": "536870912\n"}, 512),
        ({"memory/memory.limit_in_bytes": "9223372036854771712\n"}, 0),
        ({}, 0),
    ],
)
def test_the_memory_limit_is_that_of_the_container(tmp_path, files, mib):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert memory_limit_mib(tmp_path) == mib


def test_chunks_may_take_a_quarter_of_the_container(environment, monkeypatch):
    monkeypatch.setattr("coderag_rag.api.settings.memory_limit_mib", lambda: 512)
    assert ApiSettings.read(Environment(environment)).chunk_memory_mib == 128
    monkeypatch.setattr("coderag_rag.api.settings.memory_limit_mib", lambda: 0)
    assert ApiSettings.read(Environment(environment)).chunk_memory_mib == 256
    assert ApiSettings.read(Environment(environment | {"CHUNK_MEMORY_MIB": "7"})).chunk_memory_mib == 7


def test_a_lexicon_is_read_where_one_is_named(environment, settings, tmp_path):
    assert len(settings.lexicon) == 0
    file = tmp_path / "korean.tsv"
    file.write_text("토큰\ttoken\n", encoding="utf-8")
    assert ApiSettings.read(Environment(environment | {"KOREAN_LEXICON": str(file)})).lexicon.english("토큰") == "token"


@pytest.mark.parametrize("content", [None, b"token\n", b"\xff"])
def test_a_lexicon_that_is_none_stops_the_start(environment, tmp_path, capsys, content):
    file = tmp_path / "korean.tsv"
    if content is not None:
        file.write_bytes(content)
    assert program.main(environment | {"KOREAN_LEXICON": str(file)}) == 2
    assert "KOREAN_LEXICON" in capsys.readouterr().err


@pytest.fixture
def sigterm_as_before():
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("name", ["RAG_API_KEYS", "QDRANT_URL", "EMBEDDING_URL", "GATEWAY_URL", "GATEWAY_API_KEY"])
def test_a_missing_variable_stops_the_start_and_is_named(environment, name, capsys):
    del environment[name]
    assert program.main(environment) == 2
    assert name in capsys.readouterr().err


def test_an_impossible_value_is_named_without_being_shown(environment):
    environment["RAG_LLM_TIMEOUT"] = "soon"
    with pytest.raises(InvalidSetting, match="RAG_LLM_TIMEOUT"):
        ApiSettings.read(Environment(environment))


def test_an_unknown_log_level_stops_the_start(environment, capsys):
    assert program.main(environment | {"LOG_LEVEL": "LOUD"}) == 2
    assert "LOUD" in capsys.readouterr().err


def test_the_server_gets_the_port_and_time_to_drain(environment, monkeypatch, sigterm_as_before):
    started = {}

    def run(app, **options):
        started.update(options, app=app, looked_through=len(gc.get_objects()))

    monkeypatch.setattr(program.uvicorn, "run", run)
    monkeypatch.setattr(program, "configure_logging", lambda level: None)
    assert program.main(environment | {"LISTEN_PORT": "9000"}) == 0
    assert (started["port"], started["host"]) == (9000, "0.0.0.0")
    assert started["timeout_graceful_shutdown"] == 125
    assert started["looked_through"] < gc.get_freeze_count() / 100, "what is loaded is looked through for garbage"
    with pytest.raises(SystemExit) as ended:
        signal.raise_signal(signal.SIGTERM)  # what the server does when it has drained
    assert ended.value.code == 0


async def test_building_the_application_contacts_nobody(settings):
    app = build_app(settings)
    await app.state.services.clients.aclose()
