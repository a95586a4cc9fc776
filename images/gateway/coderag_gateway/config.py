"""LiteLLM's configuration: the operator's file, checked, with the settings that carry the key rules laid over it.

The file says which models there are. What decides who may do what is not left to a file.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from coderag_gateway.options import Options, Target, build_targets, read_options
from coderag_gateway.settings import ConfigurationError

Json = dict[str, Any]
REFERENCE = "os.environ/"
FALLBACKS = ("fallbacks", "context_window_fallbacks")
SECRET_FIELDS = ("api_key",)
GENERAL = {
    "master_key": "os.environ/LITELLM_MASTER_KEY",
    "custom_auth": "coderag_gateway.auth.authenticate",
    "custom_auth_run_common_checks": True,
    "store_model_in_db": False,
    "background_health_checks": False,
    "disable_spend_logs": True,
}
LITELLM = {
    "telemetry": False,
    "enable_post_custom_auth_checks": True,
    "drop_params": True,
    "turn_off_message_logging": True,
    "callbacks": [],
    "success_callback": [],
    "failure_callback": [],
}


@dataclass(frozen=True)
class Configuration:
    """What LiteLLM reads, and what this project adds to it."""

    litellm: Json
    options: Options
    targets: tuple[Target, ...]


def build_config(path: Path, environment: Mapping[str, str]) -> Configuration:
    """Return the whole configuration, or raise ConfigurationError."""
    document = read_document(path)
    models = read_models(document, path)
    for position, model in enumerate(models):
        check_model(model, f"{path}: model_list[{position}]", environment)
    options = read_options(document.get("coderag") or {}, f"{path}: coderag")
    return Configuration(build_litellm(document), options, build_targets(models, options))


def build_litellm(document: Json) -> Json:
    """Return LiteLLM's part of the configuration."""
    return {
        "model_list": document["model_list"],
        "router_settings": complete_fallbacks(document.get("router_settings") or {}),
        "litellm_settings": (document.get("litellm_settings") or {}) | LITELLM,
        "general_settings": GENERAL,
    }


def complete_fallbacks(router: Json) -> Json:
    """Give each alias the fallbacks of what it stands for: LiteLLM looks them up by the name that was asked for."""
    aliases = router.get("model_group_alias") or {}
    return router | {kind: add_aliases(router.get(kind) or [], aliases) for kind in FALLBACKS}


def add_aliases(entries: list[Json], aliases: Mapping[str, str]) -> list[Json]:
    """Return fallbacks that know the aliases too."""
    known = {name: targets for entry in entries for name, targets in entry.items()}
    known |= {alias: known[model] for alias, model in aliases.items() if model in known and alias not in known}
    return [{name: targets} for name, targets in known.items()]


def read_document(path: Path) -> Json:
    """Return the operator's file as a mapping."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"CODERAG_CONFIG: cannot read {path}: {error.strerror}; mount the file there"
        ) from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"CODERAG_CONFIG: {path} is not YAML: {error}") from error
    if not isinstance(document, dict):
        raise ConfigurationError(f"CODERAG_CONFIG: {path} must be a mapping with a model_list")
    return document


def read_models(document: Json, path: Path) -> list[Json]:
    """Return the models."""
    models = document.get("model_list")
    if not isinstance(models, list) or not models:
        raise ConfigurationError(f"{path}: model_list must name at least one model")
    return models


def check_model(model: Any, where: str, environment: Mapping[str, str]) -> None:
    """Refuse a model that could not be called, or whose key stands in the file."""
    parameters = model.get("litellm_params") if isinstance(model, dict) else None
    if not isinstance(parameters, dict) or not model.get("model_name") or not parameters.get("model"):
        raise ConfigurationError(f"{where}: needs model_name and litellm_params.model")
    for field, value in find_secrets(parameters):
        if not str(value).startswith(REFERENCE):
            raise ConfigurationError(f"{where}.litellm_params.{field} must be {REFERENCE}NAME, never the key itself")
        name = str(value).removeprefix(REFERENCE)
        if not environment.get(name):
            raise ConfigurationError(
                f"{name} is not set, and the model {model['model_name']!r} needs it as its {field}"
            )


def find_secrets(parameters: Json) -> Iterator[tuple[str, Any]]:
    """Yield the fields that hold a secret."""
    return ((field, parameters[field]) for field in SECRET_FIELDS if field in parameters)


def write_config(config: Json, folder: Path) -> Path:
    """Write the effective configuration where LiteLLM reads it; it holds names of variables, no secret."""
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path
