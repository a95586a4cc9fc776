"""kubeconfig files with everything inside, so that one file can be copied and no path in it goes stale."""

import base64
import json
from pathlib import Path

from e2e.cluster.certificates import Authority
from e2e.cluster.state import write_atomically


def render(name: str, server: str, authority: bytes, certificate: bytes, key: bytes) -> str:
    """A kubeconfig (JSON is YAML) of one cluster, one user and the context that joins them."""

    def encoded(data: bytes) -> str:
        return base64.b64encode(data).decode()

    cluster = {"server": server, "certificate-authority-data": encoded(authority)}
    user = {"client-certificate-data": encoded(certificate), "client-key-data": encoded(key)}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    return json.dumps(document, indent=1) + "\n"


def write(path: Path, name: str, server: str, authority: Authority, user: str) -> None:
    """Write the kubeconfig of one of the authority's users, readable by its owner only."""
    text = render(
        name,
        server,
        authority.certificate("ca").read_bytes(),
        authority.certificate(user).read_bytes(),
        authority.key(user).read_bytes(),
    )
    write_atomically(path, text)
