"""A tiny model for unit tests, the real one for services tests, and the application around either."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
from coderag_embedding.app import create_app
from coderag_embedding.manifest import Manifest, ModelFile
from coderag_embedding.model import Model
from coderag_embedding.settings import read_settings
from tokenizers import Tokenizer, models, pre_tokenizers, processors

KEY = "unit-test-key-0123456789abcdefghij"
NAME = "tiny"
DIMENSIONS = 4
MAX_TOKENS = 8


def tiny_tokenizer():
    """Whole words between two markers, as BERT frames a text."""
    words = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "alpha", "beta", "gamma", "query:", "passage:"]
    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return tokenizer


class CountingSession:
    """Stands for ONNX: the vector counts small token ids, so that it says which text it came from."""

    def run(self, outputs, feed):
        """Return one vector per row."""
        counts = np.array(
            [[np.sum(row == n) for n in range(3, 3 + DIMENSIONS)] for row in feed["input_ids"]], np.float32
        )
        return [counts]


def make_model(**changes):
    """A model with a fake session and a real tokenizer."""
    nothing = ModelFile(file="none", sha256="0" * 64)
    fields = {
        "name": NAME, "revision": "r1", "dimensions": DIMENSIONS, "max_tokens": MAX_TOKENS, "pooling": "mean",
        "query_prompt": "", "passage_prompt": "", "tokenizer": nothing, "precisions": {"int8": nothing},
    }  # fmt: skip
    return Model(Manifest(**(fields | changes)), "int8", tiny_tokenizer(), CountingSession())


def make_settings(**environ):
    """Settings as a pod would have them."""
    return read_settings({"MODEL_NAME": NAME, "EMBEDDING_API_KEY": KEY, "EMBEDDING_THREADS": "2"} | environ)


@contextlib.asynccontextmanager
async def serve(loader, key=KEY, **environ):
    """The application with its lifespan, and a client that has the key."""
    app = create_app(make_settings(**environ), loader)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"authorization": f"Bearer {key}"}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://embedding", headers=headers) as client,
    ):
        client.service = app.state.service
        yield client


@pytest.fixture
def model_factory():
    """make_model, for tests that cannot import it."""
    return make_model


@pytest.fixture
def serving():
    """`serve`, for tests that need an application of their own."""
    return serve


@pytest.fixture
async def client():
    """A client of an application whose tiny model has loaded."""
    async with serve(make_model) as client:
        await client.service.manager.load()
        yield client


@pytest.fixture(scope="session")
def model_dir():
    """The real model, built once on this machine."""
    from coderag_embedding.build import ensure_model

    return ensure_model()


class Server:
    """The real service as a process of its own."""

    def __init__(self, process, port, key):
        self.process = process
        self.key = key
        self.url = f"http://127.0.0.1:{port}"

    def client(self, **headers):
        """A client with the key."""
        return httpx.Client(base_url=self.url, timeout=30, headers={"authorization": f"Bearer {self.key}", **headers})

    def wait_for(self, path, status=200, seconds=60):
        """Wait until a path answers with a status."""
        deadline = time.monotonic() + seconds
        with self.client() as client:
            while time.monotonic() < deadline:
                with contextlib.suppress(httpx.TransportError):
                    if client.get(path).status_code == status:
                        return
                assert self.process.poll() is None, "the server ended by itself"
                time.sleep(0.05)
        raise AssertionError(f"{path} did not answer {status} within {seconds} s")

    def stop(self):
        """SIGTERM, and everything that it printed."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.communicate(timeout=40)[0]


@contextlib.contextmanager
def _servers(model_dir):
    """Something that starts servers, and stops them all at the end."""
    with contextlib.ExitStack() as stack:

        def start(key=KEY, **environ):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            environment = {
                "PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[1]),
                "MODEL_CACHE_DIR": str(model_dir), "EMBEDDING_API_KEY": key, "EMBEDDING_THREADS": "2",
                "LISTEN_HOST": "127.0.0.1", "LISTEN_PORT": str(port),
            }  # fmt: skip
            process = subprocess.Popen(
                [sys.executable, "-m", "coderag_embedding"], env=environment | environ,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip
            server = Server(process, port, key)
            stack.callback(lambda: process.poll() is None and server.stop())
            return server

        yield start


@pytest.fixture
def start_server(model_dir):
    """Start real servers for one test."""
    with _servers(model_dir) as start:
        yield start


@pytest.fixture(scope="module")
def server(model_dir):
    """A ready server that the tests of a module share; none of them may stop it."""
    with _servers(model_dir) as start:
        server = start()
        server.wait_for("/readyz")
        yield server
