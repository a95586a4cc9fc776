"""The CustomResourceDefinition, generated; `python -m coderag_operator.api.crd` prints it."""

import sys
from typing import Any

import yaml

from coderag_operator.api.base import Rule, always
from coderag_operator.api.spec import StackSpec
from coderag_operator.api.stack import (
    GROUP,
    KIND,
    NAME_MESSAGE,
    NAME_PATTERN,
    NAME_REMEDY,
    NAME_RESERVED,
    PLURAL,
    VERSION,
)
from coderag_operator.api.status_types import StackStatus
from coderag_operator.api.structural import structural

HEADER = "# @generated from operator/coderag_operator/api by `make generate`; edit that, not this.\n"
NAME_RULE = Rule(
    cel=f"self.metadata.name.matches('{NAME_PATTERN}') && !self.metadata.name.endsWith('{NAME_RESERVED}')",
    message=NAME_MESSAGE,
    remedy=NAME_REMEDY,
    holds=always,
    field="metadata.name",
)
COLUMNS = (
    ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status', "Whether the stack is what its spec says."),
    ("Reason", "string", '.status.conditions[?(@.type=="Ready")].reason', "Why, in one word."),
    ("Serving", "string", ".status.summary.serving", "Which model answers for which role."),
    ("VRAM", "string", ".status.summary.vram", "What the servers take of the GPU memory that they may use."),
    ("Indexed", "string", ".status.summary.indexed", "What is indexed."),
    ("Age", "date", ".metadata.creationTimestamp", "Since when there is this stack."),
)


def definition() -> dict[str, Any]:
    """Return the CustomResourceDefinition."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["crs"],
                "categories": ["coderag"],
            },
            "scope": "Namespaced",
            "versions": [version()],
            "conversion": {"strategy": "None"},
        },
    }


def version() -> dict[str, Any]:
    """Return the one version that is served and stored."""
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [
            {"name": name, "type": kind, "jsonPath": path, "description": text} for name, kind, path, text in COLUMNS
        ],
        "schema": {"openAPIV3Schema": root_schema()},
    }


def root_schema() -> dict[str, Any]:
    """Return the schema of the whole object."""
    return {
        "type": "object",
        "description": "A private code assistant: language models, index, search and one endpoint for all of it.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": "Version of this schema."},
            "kind": {"type": "string", "description": "CodeRagStack."},
            # Only named so that the rule below can point at it.
            "metadata": {"type": "object", "properties": {"name": {"type": "string"}}},
            "spec": structural(StackSpec),
            "status": structural(StackStatus) | {"default": StackStatus.DEFAULT},
        },
        "x-kubernetes-validations": [NAME_RULE.validation()],
    }


class _Plain(yaml.SafeDumper):
    """Writes shared parts out in full: YAML aliases would be one more thing to follow in a diff."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def render() -> str:
    """Return the definition as the text of the generated file."""
    return HEADER + yaml.dump(definition(), Dumper=_Plain, sort_keys=False, width=120, allow_unicode=True)


if __name__ == "__main__":
    sys.stdout.write(render())
