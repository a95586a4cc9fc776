"""Secrets never reach the index, ordinary code does, and lines stay where they are."""

import pytest
from coderag_rag.redaction import MARK, redact
from hypothesis import given
from hypothesis import strategies as st

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEabc\nxyz==\n-----END RSA PRIVATE KEY-----"
SECRETS = {
    "aws": ("id = AKIA" + "ABCDEFGHIJKLMNOP", "python"),
    "github": ("x ghp_" + "a1B2" * 9, "text"),
    "gitlab": ("glpat-" + "abcdefghij0123456789", "text"),
    "slack": ("xoxb-" + "123456789012-abc", "text"),
    "google": ("AIza" + "a" * 35, "text"),
    "jwt": ("eyJhbGciOi" + "J.eyJzdWIiOiIx.c2lnbmF0dXJl", "text"),
    "url": ("postgres://app:s3cretpw" + "@db:5432/x", "python"),
    "password": ('password = "correct-horse"', "python"),
    "json": ('{"apiKey": "0123456789abcdef"}', "json"),
    "dictionary": ("{'client_secret': 'abcdef123456789'}", "python"),
    "yaml": ("  db-password: hunter2hunter", "yaml"),
    "env": ("export API_TOKEN=abc123def456\r", "text"),
    "truncated key": (KEY.rsplit("\n", 1)[0], "text"),
}


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_replaced_on_its_own_line(kind):
    text, language = SECRETS[kind]
    redacted = redact(f"before\n{text}\nafter\n", language)
    assert MARK in redacted
    assert redacted.split("\n")[0] == "before"
    assert redacted.count("\n") == f"before\n{text}\nafter\n".count("\n")
    assert not any(part in redacted for part in ("hunter2", "s3cret", "horse", "0123456", "MIIE", "abc123", "abcdef1"))


def test_a_private_key_keeps_its_number_of_lines():
    assert redact(f"a\n{KEY}\nb\n", "text") == f"a\n{MARK}\n{MARK}\n{MARK}\n{MARK}\nb\n"


@pytest.mark.parametrize(
    "line",
    [
        'token = request.headers["authorization"]',
        "password = read_password(path)",
        'secret_name = "my-secret"',
        'password = f"{user}:{salt}"',
        'token: "$TOKEN_FROM_ENV_123"',
        "def check(password: str, api_key: str | None = None) -> bool:",
        "https://example.com/a:b/c",
        "sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ],
)
def test_ordinary_code_is_left_alone(line):
    assert redact(line, "python") == line


@given(st.lists(st.sampled_from([KEY, *(text for text, _ in SECRETS.values()), "x", "\r", "\t", ""]), max_size=8))
def test_redaction_never_adds_or_removes_a_line(parts):
    text = "\n".join(parts)
    assert redact(text, "yaml").count("\n") == text.count("\n")


@given(st.text(max_size=400))
def test_redaction_of_anything_keeps_the_lines(text):
    assert redact(text, "text").count("\n") == text.count("\n")
