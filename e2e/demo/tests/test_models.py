"""Model addresses that a person gives the demo: refused at once only where no pod could ever reach them."""

import subprocess
import sys
from pathlib import Path

import pytest

from e2e.cluster import way_out
from e2e.demo import __main__ as demo
from e2e.kubectl import CommandError

HASHES = {"chat.gguf": "c" * 64, "code.gguf": "d" * 64}
URL = "https://models.example/chat.gguf"


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address for chat, none for code."""
    monkeypatch.setenv("CHAT_MODEL_URL", URL)
    monkeypatch.setenv("CHAT_MODEL_SHA256", "a" * 64)
    monkeypatch.delenv("CODE_MODEL_URL", raising=False)


@pytest.mark.usefixtures("given")
def test_an_address_is_refused_where_there_is_no_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(way_out, "TUN", tmp_path / "nothing")
    with pytest.raises(CommandError, match=r"CHAT_MODEL_URL cannot be reached.*\(modprobe tun\)"):
        demo.refuse_unreachable_models("node")
    demo.refuse_unreachable_models("kind")


@pytest.mark.usefixtures("given")
def test_an_address_is_taken_where_there_is_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(way_out, "TUN", tmp_path)
    demo.refuse_unreachable_models("node")


@pytest.mark.usefixtures("given")
def test_what_has_no_address_is_served_by_the_demo_itself() -> None:
    chosen = demo.choose_models(HASHES)
    assert chosen["chat"] == {"url": URL, "sha256": "a" * 64}
    assert chosen["code"]["url"].endswith(".svc:8080/code.gguf")
    assert chosen["code"]["sha256"] == HASHES["code.gguf"]


def test_the_demo_needs_nothing_but_pythons_own_modules() -> None:
    without_packages = [sys.executable, "-S", "-c", "import e2e.demo.__main__"]
    subprocess.run(without_packages, check=True, cwd=Path(demo.__file__).parents[2])
