"""`programs`, `exec-env` and `clean-cache`: what is built once and kept in the cache."""

import argparse
import os
import shutil
from typing import Any

from e2e.cluster import image_store, images, programs
from e2e.cluster.errors import ClusterError
from e2e.cluster.paths import environments
from e2e.cluster.provider import PROVIDER_HELP, PROVIDERS
from e2e.cluster.state import State, clusters


def register(subcommands: Any) -> None:
    """Add the commands."""
    build = subcommands.add_parser("programs", help="build Kubernetes' programs, Helm and CoreDNS into the cache")
    build.add_argument(
        "--print-bin", action="store_true", help="print the folder that holds kubectl, helm and the others"
    )
    build.set_defaults(run=build_programs)
    environment = subcommands.add_parser(
        "exec-env", help='print shell lines: eval "$(python3 -m e2e.cluster exec-env)"'
    )
    environment.add_argument(
        "--name", default="demo", help="the cluster that KUBECONFIG shall point at (default: demo)"
    )
    environment.set_defaults(run=print_environment)
    build_images = subcommands.add_parser("build-images", help="build the project's images that have changed")
    build_images.add_argument("names", nargs="*", help="folders under images/, or standins (default: all)")
    build_images.add_argument("--provider", choices=PROVIDERS, default="auto", help=PROVIDER_HELP)
    build_images.set_defaults(run=print_references)
    clean = subcommands.add_parser("clean-cache", help="remove the built programs and images and the environments")
    clean.set_defaults(run=clean_cache)


def build_programs(options: argparse.Namespace) -> None:
    """Build what is missing."""
    programs.ensure()
    folder = programs.bin_folder()
    if options.print_bin:
        print(folder)


def clean_cache(_: argparse.Namespace) -> None:
    """Remove environments, and programs and images, unless a cluster runs on them."""
    if names := sorted(path.name for path in clusters().glob("[a-z]*")):
        raise ClusterError(f"clusters are still there: {', '.join(names)}", "take them down first")
    programs.clean()
    images.clean()
    image_store.clean()
    shutil.rmtree(environments(), ignore_errors=True)


def print_references(options: argparse.Namespace) -> None:
    """Build images and print what they are called."""
    for image in images.build_all(options.names, options.provider):
        print(image.reference)


def print_environment(options: argparse.Namespace) -> None:
    """Print PATH and KUBECONFIG for a shell."""
    print(f"export PATH='{programs.bin_folder()}{os.pathsep}'\"$PATH\"")
    print(f"export KUBECONFIG='{State(options.name).kubeconfig}'")
