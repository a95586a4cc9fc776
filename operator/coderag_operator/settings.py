"""The operator's own settings, read once from the environment that the chart sets."""

import socket
from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

IMAGE_PREFIX = "CODERAG_IMAGE_"
VARIABLES = {
    "pod_name": ("POD_NAME", "name of this pod: the identity in the Lease (default: the host's name)"),
    "pod_namespace": ("POD_NAMESPACE", "namespace of the Lease (default: default)"),
    "lease_name": ("CODERAG_LEASE_NAME", "name of the Lease (default: coderag-operator)"),
    "watch_namespaces": ("CODERAG_WATCH_NAMESPACES", "namespaces to watch, comma-separated (default: all)"),
    "workers": ("CODERAG_WORKERS", "stacks reconciled at the same time, 1-64 (default: 4)"),
    "resync_seconds": (
        "CODERAG_RESYNC_SECONDS",
        "a pass over every stack at least this often, 30-86400 (default: 600)",
    ),
    "log_level": ("CODERAG_LOG_LEVEL", "DEBUG, INFO, WARNING or ERROR (default: INFO)"),
    "health_port": ("CODERAG_HEALTH_PORT", "port of /healthz and /readyz, 0 for any (default: 8080)"),
    "metrics_port": ("CODERAG_METRICS_PORT", "port of /metrics, 0 for any (default: 9090)"),
    "listen_host": ("CODERAG_LISTEN_HOST", "address that both ports listen on (default: 0.0.0.0)"),
}


class InvalidSettings(Exception):  # noqa: N818 - named after what it says
    """A variable holds a value that the operator cannot run with; the message names it."""


class Settings(BaseModel):
    """Everything that the process can be told from outside; frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pod_name: str = Field(default_factory=socket.gethostname, min_length=1)
    pod_namespace: str = Field("default", min_length=1)
    lease_name: str = Field("coderag-operator", min_length=1)
    watch_namespaces: tuple[str, ...] = ()
    workers: int = Field(4, ge=1, le=64)
    resync_seconds: float = Field(600, ge=30, le=86400)
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    health_port: int = Field(8080, ge=0, le=65535)
    metrics_port: int = Field(9090, ge=0, le=65535)
    listen_host: str = "0.0.0.0"  # noqa: S104 - a pod is probed from the node
    images: Mapping[str, str] = Field(default_factory=dict)

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings from environment variables; an empty variable counts as unset."""
        values: dict[str, object] = {name: environ[var] for name, (var, _) in VARIABLES.items() if environ.get(var)}
        if "watch_namespaces" in values:
            names = str(values["watch_namespaces"]).split(",")
            values["watch_namespaces"] = tuple(sorted({name.strip() for name in names if name.strip()}))
        values["images"] = read_images(environ)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise InvalidSettings("; ".join(describe(item["loc"][0], item["msg"]) for item in error.errors())) from None


def read_images(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the image of every component that the environment names, by component."""
    return {
        name.removeprefix(IMAGE_PREFIX).lower(): value
        for name, value in sorted(environ.items())
        if name.startswith(IMAGE_PREFIX) and value
    }


def describe(field: object, problem: str) -> str:
    """Return one readable line about a bad variable, with what it may hold."""
    variable, meaning = VARIABLES.get(str(field), (str(field), ""))
    return f"{variable}: {problem} ({meaning})"
