"""`up`, `down`, `status`, `kubeconfig`, `load-image`: a cluster that runs pods."""

import argparse
from typing import Any

from e2e.cluster import images
from e2e.cluster.errors import ClusterError
from e2e.cluster.opening import open_provider
from e2e.cluster.options import Options, gpu_count, parse_labels
from e2e.cluster.provider import PROVIDER_HELP, PROVIDERS, Provider


def register(subcommands: Any) -> None:
    """Add the commands."""
    up_command = add(subcommands, "up", up, "bring a cluster up, or repair it; prints its kubeconfig")
    up_command.add_argument(
        "--gpu", default="0", metavar="N", help="announce N GPUs (nvidia.com/gpu) that are not there"
    )
    up_command.add_argument("--label", action="append", default=[], metavar="KEY=VALUE", help="a label of the node")
    add(subcommands, "down", lambda options: opened(options).down(), "remove everything that up made, nothing else")
    status_command = add(subcommands, "status", status, "what runs")
    for command in (up_command, status_command):
        command.add_argument("--json", action="store_true", help="print everything that is known, as JSON")
    add(subcommands, "kubeconfig", kubeconfig, "print the path of the administrator's kubeconfig")
    load = add(subcommands, "load-image", load_images, "copy images into the node")
    load.add_argument("images", nargs="*", metavar="REF|FILE", help="a reference in local storage, or an archive")
    load.add_argument("--all", action="store_true", help="every image of this repository")


def add(subcommands: Any, name: str, action: Any, text: str) -> argparse.ArgumentParser:
    """One command on a cluster."""
    command = subcommands.add_parser(name, help=text, description=text)
    command.add_argument("--name", default="demo", help="which cluster; several live side by side (default: demo)")
    command.add_argument("--provider", choices=PROVIDERS, default="auto", help=PROVIDER_HELP)
    command.set_defaults(run=action)
    return command


def opened(options: argparse.Namespace, wanted: Options | None = None) -> Provider:
    """The provider of the cluster that was named."""
    return open_provider(options.name, options.provider, wanted)


def up(options: argparse.Namespace) -> None:
    """Bring a cluster up."""
    wanted = Options(gpu_count(options.gpu), parse_labels(options.label))
    found = opened(options, wanted).up()
    print(found.to_json() if options.json else found.kubeconfig)


def status(options: argparse.Namespace) -> None:
    """Print what runs; not being up is an answer, not an error."""
    found = opened(options).status()
    print(found.to_json() if options.json else ("ready" if found.ready else f"not ready: {found.problem}"))


def kubeconfig(options: argparse.Namespace) -> None:
    """Print the path of the kubeconfig, if there is one."""
    path = opened(options).kubeconfig()
    if not path.exists():
        raise ClusterError(f"cluster {options.name} is not up", "run: python3 -m e2e.cluster up")
    print(path)


def load_images(options: argparse.Namespace) -> None:
    """Copy images into the node."""
    references = [*options.images, *([image.reference for image in images.known().values()] if options.all else [])]
    if not references:
        raise ClusterError("no image is named", "name references or archives, or give --all")
    opened(options).load_images(references)
