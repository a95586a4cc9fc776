"""`control-plane up|down|status`: an API server without a node."""

import argparse
from typing import Any

from e2e.cluster.control_plane import ControlPlane


def register(subcommands: Any) -> None:
    """Add the commands."""
    group = subcommands.add_parser(
        "control-plane", help="only etcd and kube-apiserver, for integration tests and benchmarks"
    )
    verbs = group.add_subparsers(metavar="VERB", required=True)
    for verb, action, text in (
        ("up", up, "start one, or leave it alone when it runs; prints its kubeconfig"),
        ("down", down, "stop it and remove its data"),
        ("status", status, "what runs"),
    ):
        each = verbs.add_parser(verb, help=text)
        each.add_argument(
            "--name", default="plane", help="several live side by side under different names (default: plane)"
        )
        each.set_defaults(run=action)
        if verb != "down":
            each.add_argument("--json", action="store_true", help="print everything that is known, as JSON")
        if verb == "up":
            each.add_argument("--controllers", action="store_true", help="also start kube-controller-manager")


def up(options: argparse.Namespace) -> None:
    """Start a control plane."""
    status = ControlPlane(options.name, options.controllers).up()
    print(status.to_json() if options.json else status.kubeconfig)


def down(options: argparse.Namespace) -> None:
    """Stop a control plane."""
    ControlPlane(options.name).down()


def status(options: argparse.Namespace) -> None:
    """Print what runs."""
    found = ControlPlane(options.name).status()
    print(found.to_json() if options.json else ("ready" if found.ready else "not running"))
