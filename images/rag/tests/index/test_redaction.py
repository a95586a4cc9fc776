"""Secrets never reach the index, ordinary code does, and lines stay where they are."""

import base64
import hashlib
import random
import string

import pytest
from coderag_rag.redaction import MARK, redact, redact_counted
from hypothesis import given
from hypothesis import strategies as st

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEabc\nxyz==\n-----END RSA PRIVATE KEY-----"
# Put together here, so that no scanner of this repository takes them for real ones.
A36, H32, H64 = "a1B2" * 9, "0a1b2c3d" * 4, "0a1b2c3d" * 8
SECRETS = {
    "aws": ("id = AKIA" + "ABCDEFGHIJKLMNOP", "python"),
    "github": ("x ghp_" + A36, "text"),
    "github fine": ("github_" + "pat_" + A36 + "abcd1234", "text"),
    "gitlab": ("glpat-" + "abcdefghij0123456789", "text"),
    "gitlab runner": ("glrt-" + "abcdefghij0123456789", "text"),
    "slack": ("xoxb-" + "123456789012-abc", "text"),
    "slack app": ("xapp-" + "1-A0123456789-abc123abc123", "text"),
    "slack hook": ("https://hooks.slack.com/services/" + "T00000000/B00000000/abc123abc123abc1", "text"),
    "discord hook": ("https://discord.com/api/webhooks/" + "123456789012345678/abc123abc123abc1", "text"),
    "google": ("AIza" + "a" * 35, "text"),
    "google oauth": ("GOCSPX-" + "abc123" * 4 + "abcd", "text"),
    "google access": ("ya29." + "abc123" * 6, "text"),
    "stripe": ("sk_" + "live_" + "abc123" * 4, "text"),
    "stripe hook": ("whsec_" + "abc123" * 5, "text"),
    "openai": ("sk-" + "proj-abc123ABC" * 3, "text"),
    "hugging face": ("hf_" + "abcABC" * 6, "text"),
    "npm": ("npm_" + A36, "text"),
    "pypi": ("pypi-" + "AgEIcHlwaS5vcmc" * 4, "text"),
    "rubygems": ("rubygems_" + "0a1b2c" * 8, "text"),
    "digital ocean": ("dop_v1_" + H64, "text"),
    "shopify": ("shpat_" + H32, "text"),
    "sendgrid": ("SG." + "a1B2c3D4e5F6g7H8" + "." + A36, "text"),
    "twilio": ("SK" + H32, "text"),
    "mailgun": ("key-" + H32, "text"),
    "databricks": ("dapi" + H32, "text"),
    "vault": ("hvs." + A36, "text"),
    "tailscale": ("tskey-" + "auth-abc123abc123abc1", "text"),
    "age": ("AGE-SECRET-" + "KEY-1" + "A1" * 29, "text"),
    "grafana": ("glsa_" + "a1B2c3D4" * 4 + "_" + "0a1b2c3d", "text"),
    "docker": ("dckr_" + "pat_" + A36, "text"),
    "telegram": ("123456789:AA" + "a1B2c3D4e5F" * 3, "text"),
    "azure client": ("abc8Q~" + "a1B2c3D4e5F6g7H8" * 2, "text"),
    "azure storage": ("AccountKey=" + "a1B2c3D4" * 10 + "abcdef==", "text"),
    "azure sas": ("https://x.blob/y?sv=1&sig=" + "a1B2c3D4" * 5 + "%3D", "text"),
    "jwt": ("eyJhbGciOi" + "J.eyJzdWIiOiIx.c2lnbmF0dXJl", "text"),
    "bcrypt": ("$2b$12$" + "abcdefghijklmnopqrstu1", "text"),
    "url": ("postgres://app:s3cretpw" + "@db:5432/x", "python"),
    "url without user": ("redis://:s3cretpw" + "@cache:6379/0", "python"),
    "header": ("Authorization: Bearer abc123abc123" + "abc123", "text"),
    "header in code": ('{"Authorization": "Basic abc123abc123' + 'abc123"}', "python"),
    "curl": ("curl -s -u admin:s3cretpw" + " https://x", "bash"),
    "netrc": ("machine x login y password s3cretpw", "text"),
    "npmrc": ("//registry/:_authToken=abc123abc123" + "abc123", "text"),
    "docker config": ('"auth": "abc123abc123' + 'abc1"', "json"),
    "password": ('password = "correct-horse"', "python"),
    "comparison": ('if password == "correct-horse":', "python"),
    "go": ("dbPassword := `correct-horse`", "go"),
    "json": ('{"apiKey": "0123456789abcdef"}', "json"),
    "dictionary": ("{'client_secret': 'abcdef123456789'}", "python"),
    "item": ("os.environ['API_TOKEN'] = 'abcdef123456789'", "python"),
    "notebook": ('"password = \\"correct-horse\\"\\n",', "jupyter"),
    "element": ("<db.password>hunter2hunter</db.password>", "xml"),
    "option": ("tool --api-key=abc123def456 --x", "bash"),
    "yaml": ("  db-password: hunter2hunter", "yaml"),
    "korean": ("비밀번호: hunter2hunter", "text"),
    "env": ("export API_TOKEN=abc123def456\r", "text"),
    "dockerfile": ("ENV API_TOKEN=abc123def456", "dockerfile"),
    "random literal": ('handle = "kX9f2LmQ7pRz' + 'T4vW8yBn3CdJ"', "python"),
    "random value": ("handle: kX9f2LmQ7pRz" + "T4vW8yBn3CdJ", "yaml"),
    "truncated key": (KEY.rsplit("\n", 1)[0], "text"),
    "escaped key": ('"private_key": "' + KEY.replace("\n", "\\n") + '\\n",', "json"),
    "concatenated key": ('"' + KEY.replace("\n", '\\n"\n"') + '"', "c"),
    "pgp": (KEY.replace("RSA PRIVATE KEY", "PGP PRIVATE KEY BLOCK").replace("\nMII", "\nVersion: 1\n\nMII"), "text"),
    "putty": ("Private-Lines: 2\nMIIEabc\nxyz==", "text"),
}  # fmt: skip
PARTS = [
    "hunter2", "s3cret", "horse", "0123456", "MIIE", "abc123", "abcdef1", "0a1b2c", "a1B2", "kX9f2", "AgEI", "c2ln",
    "abcdefghij", "aaaaaaa", "abcABC", "xyz==",
]  # fmt: skip


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_replaced_on_its_own_line(kind):
    text, language = SECRETS[kind]
    redacted, count = redact_counted(f"before\n{text}\n(after)\n", language)
    assert MARK in redacted
    assert count >= 1
    assert redacted.split("\n")[0] == "before"
    assert redacted.split("\n")[-2] == "(after)"
    assert redacted.count("\n") == f"before\n{text}\nafter\n".count("\n")
    assert not any(part in redacted for part in PARTS)


def test_what_is_around_a_secret_stays():
    assert (
        redact('x = connect("postgres://app:s3cretpw@db/x")', "python") == f'x = connect("postgres://app:{MARK}@db/x")'
    )
    assert redact("  db-password: hunter2hunter  ", "yaml") == f"  db-password: {MARK}  "


def test_a_key_is_followed_to_its_end_however_long_it_is():
    long = KEY.replace("xyz==", "MIIEabcd\n" * 3_000 + "xyz==")
    assert set(redact(long, "text").split("\n")) == {MARK}


def test_a_private_key_keeps_its_number_of_lines():
    assert redact_counted(f"a\n{KEY}\n(b)\n", "text") == (f"a\n{MARK}\n{MARK}\n{MARK}\n{MARK}\n(b)\n", 1)
    assert redact(KEY.replace("\n", "\r\n"), "text") == "\r\n".join([MARK] * 4)


@pytest.mark.parametrize(
    "text",
    [
        'if line.startswith("-----BEGIN PRIVATE KEY-----"):\n    begin()\n',
        'BEGIN = "-----BEGIN PRIVATE KEY-----"\nEND = "-----END PRIVATE KEY-----"\n',
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN CERTIFICATE-----\nMIIEabc\n-----END CERTIFICATE-----\n",
    ],
)
def test_code_about_keys_is_left_alone(text):
    assert redact(text, "python") == text


@pytest.mark.parametrize(
    "line",
    [
        'token = request.headers["authorization"]',
        "password = read_password(path)",
        'secret_name = "my-secret"',
        'password = f"{user}:{salt}"',
        'password: "Password", token: "Token"',
        'token: "$TOKEN_FROM_ENV_123"',
        "def check(password: str, api_key: str | None = None) -> bool:",
        "https://example.com/a:b/c",
        "http://[::1]:8080/x and a@b",
        "sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "class sk-estimator-doc-link-label-2",
        "Authorization: Bearer <token>",
        "curl -u user:$PASSWORD https://x",
        "tool --password-file=/run/secrets/db1",
        'ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"',
        'name = "thisIsAVeryLongIdentifierNumber2WithManyWords"',
        'path = "images/Rag2/tests/index/Fixtures/notebook"',
        'uuid = "123E4567-e89b-12d3-A456-426614174000"',
        'key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJq5Z8Kw3nB1xkqL2mD4sT9vR7pYcE6hG0fU"',
    ],
)
def test_ordinary_code_is_left_alone(line):
    assert redact(line, "python") == line
    assert redact(line, "yaml") == line


def sri(kind, n):
    return f"{kind}-" + base64.b64encode(hashlib.new(kind, str(n).encode()).digest()).decode()


def lock_lines(n):
    digest = hashlib.sha256(str(n).encode())
    short = base64.b64encode(digest.digest()).decode()
    yield f'      "integrity": "{sri("sha512", n)}",'
    yield f"  integrity {sri('sha1', n)}"
    yield f"  resolution: {{integrity: {sri('sha512', n)}}}"
    yield f"golang.org/x/text v0.{n}.0 h1:{short}"
    yield f'checksum = "{digest.hexdigest()}"'
    yield f'    {{file = "a.whl", hash = "sha256:{digest.hexdigest()}"}},'
    yield f"    --hash=sha256:{digest.hexdigest()} \\"
    yield f'  "narHash": "{sri("sha256", n)}",'
    yield f"image: registry/name@sha256:{digest.hexdigest()}"
    yield f'<script src="a.js" integrity="{sri("sha384", n)}"></script>'
    yield f'  "etag": "{short}",'
    yield f"commit: {digest.hexdigest()[:40]}"
    yield f'  "resolved": "https://host/pkg-{n}.tgz#{digest.hexdigest()[:40]}",'


@pytest.mark.parametrize("language", ["json", "yaml", "toml", "text", "html"])
def test_no_hash_of_a_lock_file_is_taken_for_a_secret(language):
    text = "\n".join(line for n in range(150) for line in lock_lines(n))
    assert redact_counted(text, language) == (text, 0)


def test_nearly_every_random_literal_is_found():
    chance = random.Random(7)
    letters = string.ascii_letters + string.digits
    made = ["".join(chance.choice(letters) for _ in range(chance.randint(24, 64))) for _ in range(400)]
    found = sum(redact_counted(f'value = "{one}"', "python").secrets for one in made)
    assert found >= 380


@given(st.lists(st.sampled_from([KEY, *(text for text, _ in SECRETS.values()), "x", "\r", "\t", ""]), max_size=8))
def test_redaction_never_adds_or_removes_a_line(parts):
    text = "\n".join(parts)
    assert redact(text, "yaml").count("\n") == text.count("\n")


@given(st.text(max_size=400))
def test_redaction_of_anything_keeps_the_lines(text):
    assert redact(text, "text").count("\n") == text.count("\n")


@given(st.lists(st.sampled_from([text for text, _ in SECRETS.values()]), max_size=4))
def test_what_was_redacted_stays_as_it_is(parts):
    once = redact("\n".join(parts), "yaml")
    assert redact(once, "yaml") == once
