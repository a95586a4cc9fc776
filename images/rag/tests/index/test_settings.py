"""Wrong settings are refused with the field and the remedy, and never with a secret."""

import json

import pytest
from coderag_rag.env import Environment, InvalidSetting
from coderag_rag.ingestion.__main__ import main
from coderag_rag.ingestion.repositories import parse_config
from coderag_rag.ingestion.settings import Settings
from coderag_rag.ingestion.wanted import EVERYTHING, Wanted

GOOD = {"name": "app", "url": "https://host/app.git", "ref": "main", "schedule": "*/15 * * * *", "credentialsDir": None}


def config(**changes):
    return json.dumps({"repositories": [{**GOOD, **changes}]})


@pytest.fixture
def environment(tmp_path):
    path = tmp_path / "ingestion.json"
    path.write_text(config())
    return {
        "INGESTION_CONFIG": str(path),
        "INGESTION_API_KEY": "k",
        "QDRANT_URL": "http://qdrant:6333/",
        "EMBEDDING_URL": "http://embedding:8003",
        "WORK_DIR": str(tmp_path / "work"),
    }


def test_the_documented_environment_is_enough(environment):
    settings = Settings.read(Environment(environment))
    assert [repository.name for repository in settings.config.repositories] == ["app"]
    assert settings.qdrant.url == "http://qdrant:6333"
    assert (settings.qdrant.max_retries, settings.qdrant.retry_min_wait, settings.qdrant.retry_max_wait) == (3, 2, 10)
    assert (settings.port, settings.qdrant.timeout, settings.embedding.timeout) == (8005, 30, 30)
    assert settings.qdrant.api_key is None


@pytest.mark.parametrize(
    "url", ["git@host:team/app.git", "ssh://git@host/app.git", "http://host/app", "https://host/a.git"]
)
def test_these_addresses_are_accepted(url):
    assert parse_config(config(url=url)).repositories[0].url == url


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "repositories[0].name: is missing"),
        ({"name": "../x"}, "repositories[0].name: has other characters"),
        ({"url": None}, "repositories[0].url: is missing"),
        ({"url": "file:///etc"}, "repositories[0].url: has a protocol that is not allowed; use https, http or ssh"),
        ({"url": "ext::sh -c id"}, "repositories[0].url: has a protocol that is not allowed"),
        ({"url": "--upload-pack=id"}, "repositories[0].url: begins with a dash"),
        ({"url": "https://me:pw@host/a"}, "repositories[0].url: holds credentials"),
        ({"url": "https://token@host/a"}, "repositories[0].url: holds credentials"),
        ({"ref": "-x"}, "repositories[0].ref: is not a valid Git ref"),
        ({"ref": "a..b"}, "repositories[0].ref: is not a valid Git ref"),
        ({"schedule": "often"}, "repositories[0].schedule: is not a cron expression"),
        ({"schedule": "* * * * * *"}, "repositories[0].schedule: is not a cron expression"),
        ({"credentialsDir": "/no/such/folder"}, "repositories[0].credentialsDir: is not a folder"),
        ({"credentialsDir": 7}, "repositories[0].credentialsDir: is not a folder"),
        ({"refs": "main"}, "repositories[0].refs: is not a list; write a list of at most 100"),
        ({"refs": ["a", "-b"]}, "repositories[0].refs[1]: is not a valid Git ref"),
        ({"paths": ["/etc"]}, "repositories[0].paths[0]: is not a path inside the repository"),
        ({"paths": ["a/../b"]}, "repositories[0].paths[0]: is not a path inside the repository"),
        ({"include": [7]}, "repositories[0].include[0]: is missing or not a plain text"),
        ({"exclude": ["x"] * 101}, "repositories[0].exclude: is not a list"),
        ({"webhookSecretFile": 7}, "repositories[0].webhookSecretFile: is missing or not a plain text"),
    ],
)
def test_a_wrong_repository_is_refused_by_field(changes, message):
    with pytest.raises(InvalidSetting) as caught:
        parse_config(config(**changes))
    assert str(caught.value).startswith(message)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "INGESTION_CONFIG: is not JSON"),
        ("[]", "repositories: is missing or not a list"),
        ('{"repositories": {}}', "repositories: is missing or not a list"),
        ('{"repositories": ["x"]}', "repositories[0]: is not an object"),
        (json.dumps({"repositories": [GOOD, GOOD]}), "repositories: has the name 'app' twice"),
        ('{"repositories": [], "promotion": "Soon"}', "promotion: is neither Auto nor Manual"),
        ('{"repositories": [], "reconcileSchedule": "daily"}', "reconcileSchedule: is not a cron expression"),
    ],
)
def test_a_wrong_file_is_refused(text, message):
    with pytest.raises(InvalidSetting) as caught:
        parse_config(text)
    assert str(caught.value).startswith(message)


def test_what_the_operator_rendered_before_is_enough_and_every_new_key_is_read():
    plain = parse_config(config())
    assert (plain.promotion, plain.reconcile_schedule) == ("Auto", "17 3 * * *")
    assert plain.repositories[0].all_refs == ("main",)
    assert plain.repositories[0].wanted == EVERYTHING
    more = {"refs": ["v1", "main", "v1"], "schedule": None, "paths": ["./src/", "docs"], "include": ["**/*.py"]}
    more |= {"exclude": ["vendor/**"], "webhookSecretFile": "/etc/coderag/webhooks/app/secret"}
    body = {"promotion": "Manual", "reconcileSchedule": "0 4 * * *", "repositories": [GOOD | more]}
    full = parse_config(json.dumps(body))
    [found] = full.repositories
    assert (full.promotion, full.reconcile_schedule) == ("Manual", "0 4 * * *")
    assert (found.all_refs, found.schedule) == (("main", "v1"), None)
    assert found.wanted == Wanted(("src", "docs"), ("**/*.py",), ("vendor/**",))
    assert str(found.webhook_secret) == "/etc/coderag/webhooks/app/secret"


def test_a_file_address_needs_permission(tmp_path):
    url = f"file://{tmp_path}"
    assert parse_config(config(url=url), allow_file=True).repositories[0].url == url


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"INGESTION_API_KEY": " "}, "INGESTION_API_KEY: is not set"),
        ({"QDRANT_URL": "qdrant:6333"}, "QDRANT_URL: is not an http or https URL"),
        ({"EMBEDDING_URL": ""}, "EMBEDDING_URL: is not set"),
        ({"QDRANT_TIMEOUT": "soon"}, "QDRANT_TIMEOUT: is not a number"),
        ({"QDRANT_TIMEOUT": "inf"}, "QDRANT_TIMEOUT: is below 0.1 or not finite"),
        ({"QDRANT_TIMEOUT": "nan"}, "QDRANT_TIMEOUT: is below 0.1 or not finite"),
        ({"QDRANT_MAX_RETRIES": "1.5"}, "QDRANT_MAX_RETRIES: is not a whole number"),
        ({"INGESTION_KEEP_REPLACED_HOURS": "0"}, "INGESTION_KEEP_REPLACED_HOURS: is below 0.1"),
        ({"INGESTION_ALLOW_FILE": "yes"}, "INGESTION_ALLOW_FILE: is neither true nor false"),
        ({"INGESTION_CONFIG": "/no/such/file"}, "INGESTION_CONFIG: cannot be read (No such file or directory)"),
    ],
)
def test_a_wrong_variable_is_refused_by_name(environment, changes, message):
    with pytest.raises(InvalidSetting) as caught:
        Settings.read(Environment(environment | changes))
    assert str(caught.value).startswith(message)


def test_comma_lists_drop_blanks():
    assert Environment({"KEYS": "a, b,,"}).names("KEYS") == ("a", "b")


def test_the_program_ends_at_once_with_the_field_in_the_log(environment, monkeypatch, capsys):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("QDRANT_URL", "nonsense")
    assert main() == 2
    line = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert line["level"] == "CRITICAL"
    assert line["reason"].startswith("QDRANT_URL: is not an http or https URL")
