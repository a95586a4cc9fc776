"""What the gateway says before LiteLLM is loaded: environment and configuration."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from coderag_gateway.config import build_config, write_config
from coderag_gateway.options import Target
from coderag_gateway.settings import ConfigurationError, read_settings

FOLDER = Path(__file__).resolve().parents[1]
GOOD = {"LITELLM_MASTER_KEY": "m" * 32, "API_KEY": "u" * 32, "RAG_GATEWAY_KEY": "r" * 32}
SECRETS = {"LLAMA_API_KEY": "l" * 32, "RAG_API_KEY": "a" * 32, "EMBEDDING_API_KEY": "e" * 32}


def test_defaults_are_those_of_the_contract() -> None:
    settings = read_settings(GOOD)
    assert (settings.port, str(settings.config), settings.host) == (8000, "/etc/coderag/config.yaml", "0.0.0.0")
    given = read_settings(GOOD | {"LISTEN_PORT": "81", "CODERAG_CONFIG": "/c", "LISTEN_HOST": "127.0.0.1"})
    assert (given.port, str(given.config), given.host) == (81, "/c", "127.0.0.1")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"API_KEY": ""}, "API_KEY is not set"),
        ({"RAG_GATEWAY_KEY": "short"}, "RAG_GATEWAY_KEY is shorter than 16"),
        ({"LITELLM_MASTER_KEY": ""}, "LITELLM_MASTER_KEY is not set"),
        ({"API_KEY": "r" * 32}, "must differ"),
        ({"LISTEN_PORT": "http"}, "LISTEN_PORT is 'http'"),
        ({"LISTEN_PORT": "65536"}, "LISTEN_PORT is '65536'"),
    ],
)
def test_a_wrong_environment_names_the_variable(change: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_settings(GOOD | change)
    assert words in str(caught.value)
    assert "r" * 32 not in str(caught.value)


def write(path: Path, document: Any) -> Path:
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
    return path


def model(**parameters: Any) -> dict[str, Any]:
    return {"model_name": "chat", "litellm_params": {"model": "openai/chat", **parameters}}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("{", "is not YAML"),
        ("- a", "must be a mapping"),
        ({}, "model_list must name at least one model"),
        ({"model_list": {}}, "model_list must name at least one model"),
        ({"model_list": ["chat"]}, "model_list[0]: needs model_name"),
        ({"model_list": [{"model_name": "chat"}]}, "model_list[0]: needs model_name and litellm_params.model"),
        ({"model_list": [model(api_key="sk-in-the-file")]}, "never the key itself"),
        ({"model_list": [model(api_key="os.environ/ABSENT_KEY")]}, "ABSENT_KEY is not set"),
    ],
)
def test_a_wrong_configuration_names_the_field(tmp_path: Path, document: Any, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        build_config(write(tmp_path / "c.yaml", document), {})
    assert words in str(caught.value)
    assert "sk-in-the-file" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot read .*absent.yaml: No such file"):
        build_config(tmp_path / "absent.yaml", {})


def test_the_file_cannot_change_who_may_do_what(tmp_path: Path) -> None:
    document = {
        "model_list": [model()],
        "general_settings": {"master_key": "sk-1234", "custom_auth": "evil.auth", "database_url": "postgres:"},
        "litellm_settings": {"enable_post_custom_auth_checks": False, "callbacks": ["evil"], "request_timeout": 9},
    }
    config = build_config(write(tmp_path / "c.yaml", document), {}).litellm
    assert config["general_settings"]["master_key"] == "os.environ/LITELLM_MASTER_KEY"
    assert config["general_settings"]["custom_auth"] == "coderag_gateway.auth.authenticate"
    assert "database_url" not in config["general_settings"]
    assert config["litellm_settings"]["enable_post_custom_auth_checks"] is True
    assert config["litellm_settings"]["callbacks"] == []
    assert config["litellm_settings"]["request_timeout"] == 9


def test_the_example_is_accepted_and_written_without_a_secret(tmp_path: Path) -> None:
    config = build_config(FOLDER / "config.example.yaml", SECRETS).litellm
    assert [entry["model_info"]["id"] for entry in config["model_list"]] == ["chat", "code", "coderag", "embedding"]
    path = write_config(config, tmp_path / "folder")
    assert yaml.safe_load(path.read_text()) == config
    assert not any(secret in path.read_text() for secret in SECRETS.values())


def test_an_alias_falls_back_like_what_it_stands_for(tmp_path: Path) -> None:
    router = {"model_group_alias": {"chat-7b": "chat", "x": "y"}, "fallbacks": [{"chat": ["code"]}], "num_retries": 0}
    router["context_window_fallbacks"] = [{"chat": []}]
    document = {"model_list": [model()], "router_settings": router}
    settings = build_config(write(tmp_path / "c.yaml", document), {}).litellm["router_settings"]
    assert settings["fallbacks"] == [{"chat": ["code"]}, {"chat-7b": ["code"]}]
    assert settings["context_window_fallbacks"] == [{"chat": []}, {"chat-7b": []}]
    assert settings["num_retries"] == 0


def test_the_program_ends_with_the_message(tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(FOLDER),
        **GOOD,
        "CODERAG_CONFIG": str(tmp_path / "no"),
    }
    command = [sys.executable, "-m", "coderag_gateway"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("coderag_gateway: CODERAG_CONFIG: cannot read")


def test_the_block_of_this_project_is_read_and_kept_from_litellm() -> None:
    config = build_config(FOLDER / "config.example.yaml", SECRETS)
    assert "coderag" not in config.litellm
    assert (config.options.connect_timeout, config.options.drain_delay) == (10, 5)
    assert config.options.streamed == {"chat", "code"}
    chat, code, rag, embedding = config.targets
    assert chat == Target("http://demo-chat.default.svc:8001/v1/", 10, 30, 60, True)
    assert (code.streamed, rag.streamed, rag.first_token, rag.total) == (True, False, 120, 120)
    assert (embedding.first_token, embedding.total) == (30, 30)


def test_without_the_block_the_defaults_hold(tmp_path: Path) -> None:
    models = [model(api_base="http://x/v1"), model()]
    config = build_config(write(tmp_path / "c.yaml", {"model_list": models}), {})
    assert config.targets == (Target("http://x/v1/", 10, 3600, 3600, False),)


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ([1], "coderag must be a mapping"),
        ({"conect_timeout": 1}, "coderag.conect_timeout is not known; known: connect_timeout"),
        ({"connect_timeout": "10s"}, "coderag.connect_timeout is '10s': give seconds"),
        ({"connect_timeout": 0}, "coderag.connect_timeout must be more than 0"),
        ({"drain_delay": -1}, "coderag.drain_delay is -1: give seconds"),
        ({"drain_delay": True}, "coderag.drain_delay is True"),
        ({"streamed": "chat"}, "coderag.streamed must list names"),
        ({"streamed": [1]}, "coderag.streamed must list names"),
    ],
)
def test_a_wrong_block_names_the_field(tmp_path: Path, block: Any, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        build_config(write(tmp_path / "c.yaml", {"model_list": [model()], "coderag": block}), {})
    assert words in str(caught.value)


def test_a_wrong_timeout_names_the_model(tmp_path: Path) -> None:
    document = {"model_list": [model(api_base="http://x", timeout="60s")]}
    with pytest.raises(ConfigurationError, match="the model 'chat': timeout is '60s'"):
        build_config(write(tmp_path / "c.yaml", document), {})
