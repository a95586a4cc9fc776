"""The settings of the search service, read once from the environment at start."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from coderag_rag.answer.answerer import AnswerLimits
from coderag_rag.api.container import memory_limit_mib
from coderag_rag.env import Environment, InvalidSetting
from coderag_rag.query.effort import Patience
from coderag_rag.query.lexicon import NO_LEXICON, InvalidLexicon, Lexicon
from coderag_rag.query.links import HostKind, Remote
from coderag_rag.settings import EmbeddingSettings, QdrantSettings

# What a silent embedding service may take of a request that can be answered without it.
_SEARCH_SHARE, _ASK_SHARE = 0.4, 0.25
_CHUNK_MEMORY_MIB = 256  # where no limit is set; otherwise a quarter of it


@dataclass(frozen=True)
class GatewaySettings:
    """Where the models are and how long to wait for them.

    The addresses in INFERENCE_CHAT_URL and INFERENCE_CODE_URL are watched for /health. Where LLAMA_API_KEY is set too,
    they are asked directly while the gateway refuses connections.
    """

    url: str
    api_key: str
    connect_timeout: float
    request_timeout: float
    chat_url: str
    code_url: str
    server_key: str

    @property
    def servers(self) -> dict[str, str]:
        """The addresses of the model servers that are known, by model: watched for /health."""
        return {name: url for name, url in (("chat", self.chat_url), ("code", self.code_url)) if url}

    @classmethod
    def read(cls, env: Environment) -> Self:
        """Read the GATEWAY_*, LLM_* and INFERENCE_* variables, and the key of the model servers if there is one."""
        return cls(
            url=env.url("GATEWAY_URL"),
            api_key=env.text("GATEWAY_API_KEY"),
            connect_timeout=env.number("LLM_CONNECT_TIMEOUT", 10, minimum=0.1),
            request_timeout=env.number("LLM_REQUEST_TIMEOUT", 60, minimum=0.1),
            chat_url=env.url("INFERENCE_CHAT_URL", ""),
            code_url=env.url("INFERENCE_CODE_URL", ""),
            server_key=env.text("LLAMA_API_KEY", ""),
        )


def read_remotes(text: str) -> dict[str, Remote]:
    """Read REPOSITORY_URLS: a JSON object from name to URL, or to {"url", "host"} where the host's name hides its kind.

    Errors repeat no value: a URL may have been given with a password in it.
    """
    remedy = 'write it as {"name": "https://host/owner/name"}'
    try:
        rows = json.loads(text)
    except ValueError:
        raise InvalidSetting("REPOSITORY_URLS", "is not JSON", remedy) from None
    if not isinstance(rows, dict):
        raise InvalidSetting("REPOSITORY_URLS", "is not an object", remedy)
    return {name: _remote(f"REPOSITORY_URLS[{name}]", row, remedy) for name, row in rows.items()}


def _remote(where: str, row: object, remedy: str) -> Remote:
    fields = {"url": row} if isinstance(row, str) else row
    if not isinstance(fields, dict) or not isinstance(fields.get("url"), str) or set(fields) - {"url", "host"}:
        raise InvalidSetting(where, "is neither a URL nor an object with url and host", remedy)
    kind = fields.get("host")
    if kind is not None and kind not in list(HostKind):
        raise InvalidSetting(f"{where}.host", "is not a known kind of host", f"use one of {', '.join(HostKind)}")
    return Remote(fields["url"], HostKind(kind) if kind else None)


def read_lexicon(name: str) -> Lexicon:
    """Read the file that KOREAN_LEXICON names; none where it names none."""
    try:
        return Lexicon.read(Path(name)) if name else NO_LEXICON
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSetting("KOREAN_LEXICON", f"cannot be read: {error}", "name a readable file, or none") from None
    except InvalidLexicon as error:
        raise InvalidSetting("KOREAN_LEXICON", str(error), "build it with python -m coderag_lexicon.build") from None


@dataclass(frozen=True)
class ApiSettings:
    """Everything the search service needs to start."""

    qdrant: QdrantSettings
    embedding: EmbeddingSettings
    gateway: GatewaySettings
    limits: AnswerLimits
    keys: tuple[str, ...]
    port: int
    log_level: str
    poll_interval: float
    search: Patience
    ask: Patience
    chunk_memory_mib: int
    remotes: Mapping[str, Remote] = field(default_factory=dict)
    lexicon: Lexicon = NO_LEXICON

    @classmethod
    def read(cls, env: Environment) -> Self:
        """Read all variables; raises InvalidSetting, which names the variable."""
        qdrant, embedding = QdrantSettings.read(env), EmbeddingSettings.read(env)
        # Nobody waits longer for a search than for one answer of Qdrant.
        search_seconds = min(env.number("SEARCH_TIMEOUT", 5, minimum=0.1), qdrant.timeout)
        ask_seconds = env.number("RAG_LLM_TIMEOUT", 120, minimum=0.1)
        return cls(
            qdrant=qdrant,
            embedding=embedding,
            gateway=GatewaySettings.read(env),
            limits=AnswerLimits(
                context_tokens=env.integer("CONTEXT_TOKENS", 2048, minimum=256),
                answer_tokens=env.integer("ANSWER_TOKENS", 512, minimum=1),
            ),
            keys=env.names("RAG_API_KEYS"),
            port=env.integer("LISTEN_PORT", 8002, minimum=1),
            log_level=env.text("LOG_LEVEL", "INFO"),
            poll_interval=env.number("MANIFEST_POLL_INTERVAL", 2, minimum=0.05),
            search=Patience(search_seconds, min(embedding.timeout, search_seconds * _SEARCH_SHARE)),
            ask=Patience(ask_seconds, min(embedding.timeout, ask_seconds * _ASK_SHARE), qdrant.schedule),
            chunk_memory_mib=env.integer("CHUNK_MEMORY_MIB", memory_limit_mib() // 4 or _CHUNK_MEMORY_MIB),
            remotes=read_remotes(env.text("REPOSITORY_URLS", "{}")),
            lexicon=read_lexicon(env.text("KOREAN_LEXICON", "")),
        )
