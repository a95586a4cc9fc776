"""What this project adds to LiteLLM's configuration file, under `coderag`: LiteLLM never sees it. Pure.

LiteLLM knows two numbers for a call, `timeout` and `stream_timeout`, and applies each to single reads. Here they are
what their users expect: the whole answer, and the time to the first token, which holds for callers that do not
stream too. The connection gets a number of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from coderag_gateway.settings import ConfigurationError

LONGEST = 3600.0
DEFAULTS = {"connect_timeout": 10, "drain_delay": 5}


@dataclass(frozen=True)
class Options:
    """The block `coderag`."""

    connect_timeout: float
    drain_delay: float
    streamed: frozenset[str]


@dataclass(frozen=True)
class Target:
    """One address that LiteLLM calls, and how long each part of a call may take, in seconds."""

    base: str
    connect: float
    first_token: float
    total: float
    streamed: bool


def read_options(block: Any, where: str) -> Options:
    """Return the options, or raise ConfigurationError for the field that is wrong."""
    if not isinstance(block, dict):
        raise ConfigurationError(f"{where} must be a mapping")
    unknown = sorted(set(map(str, block)) - {*DEFAULTS, "streamed"})
    if unknown:
        raise ConfigurationError(f"{where}.{unknown[0]} is not known; known: {', '.join([*DEFAULTS, 'streamed'])}")
    streamed = block.get("streamed", [])
    if not isinstance(streamed, list) or any(not isinstance(name, str) for name in streamed):
        raise ConfigurationError(f"{where}.streamed must list names of models")
    connect, drain = (read_seconds(block.get(name, usual), f"{where}.{name}") for name, usual in DEFAULTS.items())
    if not connect:
        raise ConfigurationError(f"{where}.connect_timeout must be more than 0")
    return Options(connect, drain, frozenset(streamed))


def read_seconds(value: Any, where: str) -> float:
    """Return a number of seconds."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST:
        raise ConfigurationError(f"{where} is {value!r}: give seconds from 0 to {LONGEST:.0f}")
    return float(value)


def build_targets(models: list[dict[str, Any]], options: Options, longest: float = LONGEST) -> tuple[Target, ...]:
    """Return the limits of each model that has an address."""
    return tuple(build_target(model, options, longest) for model in models if model["litellm_params"].get("api_base"))


def build_target(model: Mapping[str, Any], options: Options, longest: float) -> Target:
    """Return the limits of one model; no number is zero."""
    parameters, where = model["litellm_params"], f"the model {model['model_name']!r}"
    total = read_seconds(parameters.get("timeout", longest), f"{where}: timeout") or longest
    first = read_seconds(parameters.get("stream_timeout", total), f"{where}: stream_timeout") or total
    base = str(parameters["api_base"]).rstrip("/") + "/"
    return Target(base, options.connect_timeout, min(first, total), total, model["model_name"] in options.streamed)
