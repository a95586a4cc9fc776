"""The settings of the search service, read once from the environment at start."""

from dataclasses import dataclass
from typing import Self

from coderag_rag.answer.answerer import AnswerLimits
from coderag_rag.env import Environment
from coderag_rag.settings import EmbeddingSettings, QdrantSettings


@dataclass(frozen=True)
class GatewaySettings:
    """Where the models are and how long to wait for them."""

    url: str
    api_key: str
    connect_timeout: float
    request_timeout: float
    chat_url: str
    code_url: str

    @classmethod
    def read(cls, env: Environment) -> Self:
        """Read the GATEWAY_*, LLM_* and INFERENCE_* variables."""
        return cls(
            url=env.url("GATEWAY_URL"),
            api_key=env.text("GATEWAY_API_KEY"),
            connect_timeout=env.number("LLM_CONNECT_TIMEOUT", 10, minimum=0.1),
            request_timeout=env.number("LLM_REQUEST_TIMEOUT", 60, minimum=0.1),
            chat_url=env.url("INFERENCE_CHAT_URL", ""),
            code_url=env.url("INFERENCE_CODE_URL", ""),
        )


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
    search_timeout: float
    query_embedding_timeout: float

    @classmethod
    def read(cls, env: Environment) -> Self:
        """Read all variables; raises InvalidSetting, which names the variable."""
        search_timeout = env.number("SEARCH_TIMEOUT", 5, minimum=0.1)
        embedding = EmbeddingSettings.read(env)
        return cls(
            qdrant=QdrantSettings.read(env),
            embedding=embedding,
            gateway=GatewaySettings.read(env),
            limits=AnswerLimits(
                context_tokens=env.integer("CONTEXT_TOKENS", 2048, minimum=256),
                answer_tokens=env.integer("ANSWER_TOKENS", 512, minimum=1),
                deadline=env.number("RAG_LLM_TIMEOUT", 120, minimum=0.1),
            ),
            keys=env.names("RAG_API_KEYS"),
            port=env.integer("LISTEN_PORT", 8002, minimum=1),
            log_level=env.text("LOG_LEVEL", "INFO"),
            poll_interval=env.number("MANIFEST_POLL_INTERVAL", 2, minimum=0.05),
            search_timeout=search_timeout,
            # A silent embedding service must leave the search time to answer without it.
            query_embedding_timeout=min(embedding.timeout, search_timeout * 0.4),
        )
