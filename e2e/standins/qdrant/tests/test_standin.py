"""What belongs to the stand-in alone: restarts, half-made folders, dead engines, refusals in plain words."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from qdrant_client import QdrantClient, models

from e2e.standins.qdrant.engine import Engine
from e2e.standins.qdrant.errors import QdrantError, from_engine
from e2e.standins.qdrant.keys import Keys
from e2e.standins.qdrant.process import EngineProcess
from e2e.standins.qdrant.run import Standin, launch, program
from e2e.standins.qdrant.tests.conftest import SPARSE, VECTORS, Server

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(program() is not None, reason="a real server runs in the stand-in's place"),
]
SETTINGS = {"vectors": {"dense": {"size": 4, "distance": "Cosine"}}}


@pytest.fixture
def running() -> Iterator[list[Standin]]:
    started: list[Standin] = []
    yield started
    for standin in started:
        if standin.process.poll() is None:
            standin.kill()


def open_client(standin: Standin) -> QdrantClient:
    return QdrantClient(url=standin.url, prefer_grpc=False, timeout=60)


def fill(client: QdrantClient) -> None:
    client.create_collection("kept", vectors_config=VECTORS, sparse_vectors_config=SPARSE, metadata={"identity": "x"})
    client.create_payload_index("kept", "kind", models.PayloadSchemaType.KEYWORD)
    alias = models.CreateAlias(collection_name="kept", alias_name="code-live")
    client.update_collection_aliases([models.CreateAliasOperation(create_alias=alias)])
    words = models.SparseVector(indices=[7], values=[1.0])
    points = [
        models.PointStruct(id=n, vector={"dense": [1.0, n, 0.0, 0.0], "keyword": words}, payload={"kind": "chunk"})
        for n in range(200)
    ]
    client.upsert("kept", points, wait=True)


@pytest.mark.parametrize("way", ["kill", "stop"])
def test_a_restart_keeps_everything(tmp_path: Path, running: list[Standin], way: str) -> None:
    running.append(launch(tmp_path))
    client = open_client(running[0])
    fill(client)
    before = client.query_points("kept", query=[0.0, 1.0, 0.0, 0.0], using="dense", limit=5)
    client.close()
    assert getattr(running[0], way)() in (None, 0)
    (tmp_path / "collections" / "half-made").mkdir()
    running.append(launch(tmp_path))
    client = open_client(running[1])
    assert client.count("code-live").count == 200
    assert client.query_points("code-live", query=[0.0, 1.0, 0.0, 0.0], using="dense", limit=5) == before
    info = client.get_collection("kept")
    assert (info.config.metadata, list(info.payload_schema)) == ({"identity": "x"}, ["kind"])
    assert [found.name for found in client.get_collections().collections] == ["kept"]
    client.close()


def test_a_dead_engine_is_started_again(tmp_path: Path) -> None:
    engine = EngineProcess(tmp_path / "shard", SETTINGS)
    engine.submit("update", [("upsert", {"points": [{"id": 1, "vector": {}}]})]).result()
    os.kill(engine._process.pid, signal.SIGKILL)
    engine._process.join()
    assert engine.submit("count", {}).result() == {"count": 1}
    engine.close()


def test_whoever_comes_first_is_served_first(tmp_path: Path) -> None:
    engine, done = EngineProcess(tmp_path / "shard", SETTINGS), []
    for number in range(50):
        engine.submit("count", {}).add_done_callback(lambda _, number=number: done.append(number))
    engine.close()  # which comes last
    assert done == list(range(50))


def test_an_engine_that_cannot_open_says_so(tmp_path: Path) -> None:
    (tmp_path / "shard").write_text("in the way")
    with pytest.raises(QdrantError, match="cannot open shard"):
        EngineProcess(tmp_path / "shard", SETTINGS)


def test_two_engines_never_share_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("e2e.standins.qdrant.engine.LOCK_SECONDS", 0.1)
    first = Engine(tmp_path / "shard", SETTINGS)
    with pytest.raises(Exception, match="WouldBlock"):
        Engine(tmp_path / "shard", SETTINGS)
    first.close()


def test_routes_that_are_missing_say_what_to_do(server: Server) -> None:
    with server.http(**{"api-key": server.full}) as http:
        for method, path in (("POST", "/collections/x/snapshots"), ("GET", "/cluster"), ("PUT", "/quotas")):
            answer = http.request(method, path)
            assert answer.status_code == 501
            assert "use a real Qdrant" in answer.json()["status"]["error"]


def test_queries_that_are_missing_say_so(server: Server, collection: str) -> None:
    with server.http(**{"api-key": server.full}) as http:
        body = {"query": {"recommend": {"positive": [1]}}, "using": "dense"}
        assert http.post(f"/collections/{collection}/points/query", json=body).status_code == 501


@pytest.mark.parametrize("name", ["..", "a%2Fb", "x" * 256, "a:b"])
def test_a_collection_name_cannot_leave_the_folder(server: Server, name: str) -> None:
    with server.http(**{"api-key": server.full}) as http:
        request = http.build_request("PUT", "/collections/NAME", json=SETTINGS)
        request.url = httpx.URL(f"{server.url}/collections/").copy_with(raw_path=f"/collections/{name}".encode())
        assert http.send(request).status_code in (400, 501)


def test_keys_come_from_the_real_servers_variables() -> None:
    names = {"QDRANT__SERVICE__API_KEY": "a", "QDRANT__SERVICE__READ_ONLY_API_KEY": ""}
    assert Keys.from_environment(names) == Keys("a", None)


@pytest.mark.parametrize(
    ("text", "status"),
    [("No point with id 3", 404), ("Service runtime error: x", 500), ("Vector dimension error", 400)],
)
def test_engine_errors_get_the_servers_status(text: str, status: int) -> None:
    assert from_engine(Exception(text)).status == status


def test_a_taken_port_ends_with_a_message(server: Server, tmp_path: Path) -> None:
    if "127.0.0.1" not in server.url:
        pytest.skip("needs the stand-in: a real server is under test")
    port = httpx.URL(server.url).port
    command = [sys.executable, "-m", "e2e.standins.qdrant", "--host", "127.0.0.1", "--port", str(port)]
    done = subprocess.run([*command, "--data", str(tmp_path)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "Address already in use" in done.stderr


def test_settings_are_plain_json_on_disk(tmp_path: Path, running: list[Standin]) -> None:
    running.append(launch(tmp_path))
    client = open_client(running[0])
    client.create_collection("plain", vectors_config=VECTORS["dense"])
    client.upsert("plain", [models.PointStruct(id=1, vector=[1.0, 0.0, 0.0, 0.0])])
    assert client.query_points("plain", query=[1.0, 0.0, 0.0, 0.0]).points[0].score == pytest.approx(1.0)
    client.close()
    assert json.loads((tmp_path / "collections/plain/settings.json").read_text())["vectors"]["size"] == 4
