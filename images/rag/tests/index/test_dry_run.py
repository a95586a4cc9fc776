"""What would be indexed is shown before it is, and nothing is written for it."""

import asyncio
import json

import pytest
from coderag_rag.ingestion import command
from coderag_rag.ingestion.__main__ import main
from coderag_rag.ingestion.dry_run import DryRun
from coderag_rag.ingestion.wanted import Wanted

pytestmark = pytest.mark.slow
FILES = {
    "src/a.py": 'def retry():\n    password = "hunter2hunter2"\n',
    "src/b.ts": "export const answer = 42;\n",
    "docs/a.md": "# Words\n\nMore words.\n",
    "logo.png": "x",
    "big.csv": "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    "vendor/x.py": "x = 1\n",
}


@pytest.fixture
def remote(bench):
    made = bench.remote("app")
    made.commit(FILES)
    return made


@pytest.fixture
def desk(desk, remote):
    desk.add("app", remote, wanted=Wanted(exclude=("vendor/**",)))
    desk.build()
    return desk


async def test_a_dry_run_counts_files_chunks_and_reasons_and_writes_nothing(desk, bench, remote):
    answer = await desk.http.post("/v1/repositories/app/dry-run")
    report = answer.json()
    assert answer.status_code == 200
    assert (report["repository"], report["ref"], report["commit"]) == ("app", "main", remote.git("rev-parse", "HEAD"))
    assert report["complete"] is True
    assert (report["files"], report["chunks"], report["secrets_redacted"]) == (3, 3, 1)
    assert report["languages"] == {"python": 1, "typescript": 1, "markdown": 1}
    assert report["skipped_counts"] == {"binary or drawn file": 1, "lfs-pointer": 1}
    assert {row["path"] for row in report["skipped"]} == {"logo.png", "big.csv"}
    assert report["not_wanted"] == {"excluded by a pattern": 1}
    assert report["largest_folders"] == {"src": 2, "docs": 1, ".": 1}
    assert "hunter2" not in answer.text
    assert bench.qdrant.writes == []
    assert bench.embedding.texts == []
    assert not (bench.folder / "work").exists()
    assert not list(bench.folder.glob("dry-run-*"))


async def test_what_is_not_read_in_time_is_estimated(desk, bench):
    ticks = iter(range(0, 1000, 30))
    source = next(iter(desk.configured.values()))[1]
    report = await DryRun(bench.preparer, bench.folder, 60, lambda: next(ticks)).of(source)
    assert report["complete"] is False
    assert report["files"] >= 3
    assert report["chunks"] >= 2


async def test_what_a_killed_process_left_is_removed(desk, bench):
    (bench.folder / "dry-run-x" / "copy.git").mkdir(parents=True)
    DryRun(bench.preparer, bench.folder).clear()
    assert not (bench.folder / "dry-run-x").exists()


async def test_an_unknown_repository_and_an_unreadable_remote_are_told(desk, remote):
    assert (await desk.http.post("/v1/repositories/other/dry-run")).status_code == 404
    remote.path.rename(remote.path.with_name("away"))
    answer = await desk.http.post("/v1/repositories/app/dry-run")
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "remote_not_read")


async def test_one_dry_run_at_a_time(desk, bench):
    begun, held = asyncio.Event(), asyncio.Event()
    prepare = bench.preparer.prepare

    async def slow(data, paths):
        begun.set()
        await held.wait()
        return await prepare(data, paths)

    bench.preparer.prepare = slow
    first = asyncio.create_task(desk.http.post("/v1/repositories/app/dry-run"))
    await begun.wait()
    answer = await desk.http.post("/v1/repositories/app/dry-run")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "10")
    held.set()
    assert (await first).status_code == 200


def test_the_command_prints_for_people_and_for_programs(remote, capsys):
    given = ["dry-run", "--url", remote.url, "--ref", "main", "--exclude", "vendor/**", "--allow-file"]
    assert main(given) == 0
    text = capsys.readouterr().out
    assert "3 files, 3 chunks, 3 to embed, 1 secrets redacted" in text
    assert "         1  python" in text
    assert main([*given, "--json", "--path", "src"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["files"], report["not_wanted"]) == (2, {"outside of the chosen paths": 4})


def test_an_estimate_is_marked_as_one():
    report = {"commit": "c", "ref": "r", "complete": False, "files": 1, "chunks": 2, "embeddings": 2}
    tables = {name: {} for name in ("languages", "largest_folders", "skipped_counts", "not_wanted")}
    assert "1 files, about 2 chunks" in command.describe(report | tables | {"secrets_redacted": 0})


@pytest.mark.parametrize(
    ("changed", "status", "message"),
    [
        ({"--url": "file:///etc"}, 2, "--url: has a protocol that is not allowed"),
        ({"--ref": "-x"}, 2, "--ref: is not a valid Git ref"),
        ({"--path": "../up"}, 2, "--paths[0]: is not a path inside the repository"),
        ({"--credentials-dir": "/no/such"}, 2, "--credentials-dir: is not a folder"),
        ({}, 1, "the remote is not reachable"),
    ],
)
def test_the_command_says_what_is_wrong(capsys, changed, status, message):
    given = {"--url": "http://127.0.0.1:1/x.git", "--ref": "main"} | changed
    assert main(["dry-run", *(f"{name}={value}" for name, value in given.items())]) == status
    assert message in capsys.readouterr().err
