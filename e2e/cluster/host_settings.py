"""How this machine reaches the package indexes, lent to a build as mounts so that nothing of it is in the image."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# What pip says about itself, not about where packages come from; keys whose value is a path get their own mount.
PIP_KEYS = (
    "index-url",
    "extra-index-url",
    "trusted-host",
    "proxy",
    "timeout",
    "default-timeout",
    "retries",
    "no-index",
)
APT_KEYS = ("Acquire::http", "Acquire::https", "Acquire::Check-Valid-Until", "Acquire::Check-Date", "Acquire::Retries")


def pip_settings(listing: str) -> dict[str, str]:
    """The effective settings from `pip config list`, whose later lines (the environment's) win."""
    found: dict[str, str] = {}
    ordered = sorted(listing.splitlines(), key=lambda line: line.startswith(":env:"))
    for line in ordered:
        name, _, value = line.partition("=")
        section, _, key = name.strip().rpartition(".")
        if section in ("global", "install", "download", "wheel", ":env:"):
            found[key] = value.strip().strip("'\"").replace("\\n", " ")
    return found


def pip_conf(settings: Mapping[str, str], certificates: bool) -> str:
    """A pip.conf for inside the build."""
    lines = ["[global]"]
    lines += [f"{key.removeprefix('default-')} = {settings[key]}" for key in PIP_KEYS if key in settings]
    if folders := local_folders(settings):
        lines.append("find-links = " + " ".join(folders))
    if certificates:
        lines.append(f"cert = {CERTIFICATES}")
    return "\n".join([*lines, "disable-pip-version-check = true", ""])


def local_folders(settings: Mapping[str, str]) -> list[str]:
    """The find-links that are folders of this machine."""
    return [each for each in settings.get("find-links", "").split() if Path(each).is_dir()]


def apt_conf(dump: str) -> str:
    """The lines of `apt-config dump` about proxies and time-outs."""
    kept = [line for line in dump.splitlines() if line.startswith(APT_KEYS) and not line.endswith(' "";')]
    return "\n".join([*kept, ""])


def ask(command: list[str]) -> str:
    """What a tool says about its settings; nothing when it is not there."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout
    except FileNotFoundError:
        return ""


def mounts(scratch: Path) -> list[str]:
    """SOURCE:TARGET:ro for each setting; `scratch` holds the files made for it."""
    settings = pip_settings(ask([sys.executable, "-m", "pip", "config", "list"]))
    certificates = bundle()
    private_file(scratch / "pip.conf", pip_conf(settings, certificates is not None))
    private_file(scratch / "apt.conf", apt_conf(ask(["apt-config", "dump"])))
    found = [f"{scratch}/pip.conf:/etc/pip.conf:ro", f"{scratch}/apt.conf:/etc/apt/apt.conf.d/90build-host:ro"]
    if certificates:
        found.append(f"{certificates}:{CERTIFICATES}:ro")
    return [*found, *(f"{folder}:{folder}:ro" for folder in local_folders(settings))]


def bundle() -> Path | None:
    """The certificate bundle that this machine trusts."""
    for name in ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if (value := os.environ.get(name)) and Path(value).is_file():
            return Path(value).resolve()
    return CERTIFICATES.resolve() if CERTIFICATES.is_file() else None


def private_file(path: Path, text: str) -> None:
    """Write a file that only root in the build can read: an index address may carry a password."""
    path.touch(mode=0o600)
    path.write_text(text)
