"""What the environment may say, and how a wrong one is told."""

from pathlib import Path

import pytest
from coderag_embedding.settings import SettingsError, read_settings

KEY = {"EMBEDDING_API_KEY": "s3cret-value-0123456789"}


def test_the_defaults_are_those_of_the_contract():
    settings = read_settings(KEY)
    assert (settings.model_name, settings.device, settings.port) == ("all-MiniLM-L6-v2", "cpu", 8003)
    assert settings.model_cache_dir == Path("/models")
    assert settings.precision == "int8"
    assert (settings.model_load, settings.fallback_name, settings.query_cache) == ("eager", None, 4096)
    assert settings.threads >= 1


def test_without_a_key_it_refuses_to_start_and_names_the_remedy():
    with pytest.raises(SettingsError, match=r"EMBEDDING_API_KEY is not set.*EMBEDDING_ALLOW_ANONYMOUS=true"):
        read_settings({"EMBEDDING_API_KEY": "  "})


def test_anonymous_use_must_be_asked_for():
    assert read_settings({"EMBEDDING_ALLOW_ANONYMOUS": "true"}).api_key is None
    assert read_settings(KEY | {"EMBEDDING_ALLOW_ANONYMOUS": "true"}).api_key == KEY["EMBEDDING_API_KEY"]


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("LISTEN_PORT", "http", "use a whole number from 0 to 65535"),
        ("LISTEN_PORT", "65536", "use a whole number from 0 to 65535"),
        ("LISTEN_PORT", "٣", "use a whole number"),
        ("EMBEDDING_THREADS", "0", "use a whole number from 1 to 256"),
        ("EMBEDDING_THREADS", "-1", "use a whole number from 1 to 256"),
        ("EMBEDDING_QUEUE_LIMIT", "10", "use a whole number from 256"),
        ("EMBEDDING_DRAIN_SECONDS", "1.5", "use a whole number"),
        ("MODEL_DEVICE", "tpu", "use cpu or cuda"),
        ("MODEL_LOAD", "late", "use eager or lazy"),
        ("EMBEDDING_QUERY_CACHE", "-1", "use a whole number from 0"),
        ("EMBEDDING_PRECISION", "fp16", "use int8 or fp32"),
        ("EMBEDDING_ALLOW_ANONYMOUS", "yes", "use true or false"),
        ("LOG_LEVEL", "loud", "use DEBUG or INFO"),
    ],
)
def test_a_wrong_value_is_named_with_the_remedy(name, value, remedy):
    with pytest.raises(SettingsError) as caught:
        read_settings(KEY | {name: value})
    assert f"{name} is {value!r}: {remedy}" in str(caught.value)


def test_a_gpu_computes_in_full_precision_unless_told_otherwise():
    assert read_settings(KEY | {"MODEL_DEVICE": "cuda"}).precision == "fp32"


def test_every_problem_is_told_at_once():
    with pytest.raises(SettingsError) as caught:
        read_settings({"LISTEN_PORT": "x", "MODEL_DEVICE": "tpu"})
    assert str(caught.value).count("\n") == 2


def test_the_key_is_in_no_representation():
    assert "s3cret" not in repr(read_settings(KEY))


def test_an_empty_variable_counts_as_unset():
    assert read_settings(KEY | {"LISTEN_PORT": "", "MODEL_NAME": ""}).port == 8003
