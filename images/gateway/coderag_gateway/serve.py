"""Start LiteLLM's application behind the guard."""

import os
import signal
import socket
import sys
import tempfile
from collections.abc import Mapping, MutableMapping
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from coderag_gateway.callers import Callers
from coderag_gateway.config import build_config, write_config
from coderag_gateway.guard import Guard
from coderag_gateway.settings import ConfigurationError, Settings, read_settings

# No request to anywhere at start, no page for browsers, no database, nothing written but the temporary folder.
FIXED = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_AUTOROUTER_PRESETS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_LOCAL_POLICY_TEMPLATES": "True",
    "LITELLM_TELEMETRY": "False",
    "DEFAULT_MAX_RETRIES": "0",  # LiteLLM takes `max_retries: 0` of an embedding model for "not set", and this instead
    "DISABLE_ADMIN_UI": "True",
    "NO_DOCS": "True",
    "NO_REDOC": "True",
    "NO_OPENAPI": "True",
    "LITELLM_NON_ROOT": "true",
    "LITELLM_DONT_SHOW_FEEDBACK_BOX": "true",
    "JSON_LOGS": "True",
}
REMOVED = ("DATABASE_URL", "DIRECT_URL", "REDIS_URL", "REDIS_HOST", "LITELLM_WORKER_STARTUP_HOOKS", "WORKER_CONFIG")


def main() -> int:
    """Serve until SIGTERM; 2 if the environment or the configuration is wrong."""
    try:
        settings = read_settings(os.environ)
        config = build_config(settings.config, os.environ)
    except ConfigurationError as error:
        print(f"coderag_gateway: {error}", file=sys.stderr)  # noqa: T201
        return 2
    path = write_config(config, Path(tempfile.gettempdir()) / "coderag-gateway")
    prepare_environment(os.environ, path)
    serve(build_app(settings), settings)
    return 0


def prepare_environment(environment: MutableMapping[str, str], config: Path) -> None:
    """Set what LiteLLM reads when it is imported."""
    for name in REMOVED:
        environment.pop(name, None)
    environment.update(FIXED)
    environment["CONFIG_FILE_PATH"] = str(config)
    environment["HOME"] = tempfile.gettempdir()


def build_app(settings: Settings) -> ASGIApp:
    """Return LiteLLM's application behind the guard."""
    from litellm.proxy.proxy_server import app  # reads the environment when it is imported

    return Guard(app, Callers(settings))


def serve(app: ASGIApp, settings: Settings) -> None:
    """Listen and drain on SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises it again when it has drained
    with socket.create_server((settings.host, settings.port)) as listener:
        config = uvicorn.Config(
            app, log_config=read_log_config(), access_log=False, loop="asyncio", server_header=False
        )
        uvicorn.Server(config).run(sockets=[listener])


def read_log_config() -> Mapping[str, object]:
    """Return LiteLLM's own JSON log format, so that every line has the same one."""
    from litellm._logging import _get_uvicorn_json_log_config

    return _get_uvicorn_json_log_config()
