"""Certificates for what leaves the cluster: one file, named to every library that the images use."""

from typing import Any

from coderag_operator.desired.context import Context
from coderag_operator.desired.env import Env, plain

FOLDER = "/etc/coderag-certificates"
FILE = f"{FOLDER}/bundle.pem"


def certificate_env(context: Context) -> Env:
    """Return the variables that OpenSSL, requests, curl and Git read; none without a bundle."""
    if context.stack.spec.ca_bundle is None:
        return []
    return plain(SSL_CERT_FILE=FILE, REQUESTS_CA_BUNDLE=FILE, CURL_CA_BUNDLE=FILE, GIT_SSL_CAINFO=FILE)


def certificate_volumes(context: Context) -> list[dict[str, Any]]:
    """Return the volume that holds the bundle; none without a bundle."""
    bundle = context.stack.spec.ca_bundle
    if bundle is None:
        return []
    if bundle.config_map_ref:
        reference = bundle.config_map_ref
        return [{"name": "certificates", "configMap": {"name": reference.name, "items": _items(reference.key)}}]
    assert bundle.secret_ref is not None  # noqa: S101  the spec's rule: exactly one of the two
    secret = bundle.secret_ref
    return [{"name": "certificates", "secret": {"secretName": secret.name, "items": _items(secret.key)}}]


def certificate_mounts(context: Context) -> list[dict[str, Any]]:
    """Return where the bundle is mounted; nowhere without a bundle."""
    if context.stack.spec.ca_bundle is None:
        return []
    return [{"name": "certificates", "mountPath": FOLDER, "readOnly": True}]


def _items(key: str) -> list[dict[str, str]]:
    return [{"key": key, "path": "bundle.pem"}]
