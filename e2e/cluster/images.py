"""Building the project's images from their ordinary Containerfiles, with buildah or with a container engine.

An image carries the hash of what it was made from as a label; while that is unchanged the builder is not even started.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster import base_image, host_settings, packages
from e2e.cluster.commands import run
from e2e.cluster.containerfile import content_hash
from e2e.cluster.errors import ClusterError
from e2e.cluster.locks import locked
from e2e.cluster.paths import REPOSITORY, cache, made
from e2e.cluster.progress import say, ticking
from e2e.cluster.provider import choose, engine

LABEL = "dev.coderag.content"
AT_ONCE = 2
LIMIT = 3600.0
SLOW_FIRST = ("llama", "gateway")  # the longest builds start first, so that the short ones fill the other core


@dataclass(frozen=True)
class Image:
    """One folder with a Containerfile."""

    name: str
    containerfile: Path

    @property
    def reference(self) -> str:
        """What the image is called in local storage and in the cluster."""
        return f"localhost/coderag-{self.name}:dev"


def known() -> dict[str, Image]:
    """Every image of the repository by its name."""
    found = [*REPOSITORY.glob("images/*/Containerfile"), REPOSITORY / "e2e/standins/Containerfile"]
    images = {path.parent.name: Image(path.parent.name, path) for path in sorted(found) if path.is_file()}
    return dict(sorted(images.items(), key=lambda item: (item[0] not in SLOW_FIRST, item[0])))


def select(names: Iterable[str]) -> list[Image]:
    """The images of these names, all when none is given."""
    images, wanted = known(), list(names)
    if unknown := sorted(set(wanted) - set(images)):
        raise ClusterError(f"no such image: {', '.join(unknown)}", f"there are: {', '.join(sorted(images))}")
    return [images[name] for name in wanted] if wanted else list(images.values())


def build_all(names: Iterable[str] = (), provider: str = "auto") -> list[Image]:
    """Build what has changed of these images; gives all of them."""
    images = select(names)
    builder = make_builder(choose() if provider == "auto" else provider)
    builder.prepare()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(builder.build, images))
    return images


class Builder:
    """What buildah and Docker have in common."""

    program = "buildah"

    def prepare(self) -> None:
        """Make what every build needs."""

    def inputs(self) -> list[str]:
        """What else an image depends on."""
        return []

    def command(self, image: Image, label: str, scratch: Path) -> list[str]:
        """The command line of one build."""
        raise NotImplementedError

    def label(self, image: Image) -> str:
        """The label of the image in local storage; empty when there is none."""
        raise NotImplementedError

    def build(self, image: Image) -> None:
        """Build one image if it has changed; the same image is built by one run at a time."""
        with locked(cache() / "images" / f"{image.name}.lock", f"building image {image.name}"):
            self.build_changed(image)

    def build_changed(self, image: Image) -> None:
        """Build one image unless its label says that it is made from the same things."""
        wanted = content_hash(image.containerfile, REPOSITORY, self.inputs())
        if self.label(image) == wanted:
            say(f"image {image.name}: unchanged")
            return
        with ticking(f"building image {image.name}", every=20), tempfile.TemporaryDirectory() as scratch:
            self.run(image, self.command(image, wanted, Path(scratch)))

    def run(self, image: Image, command: list[str]) -> None:
        """Run the build with its output in a log; show the end of it when it fails."""
        log = made(cache() / "images") / f"{image.name}.log"
        with log.open("w") as handle:
            try:
                code = subprocess.run(command, stdout=handle, stderr=handle, timeout=LIMIT, cwd=REPOSITORY).returncode
            except subprocess.TimeoutExpired:
                raise ClusterError(f"building image {image.name} took more than {LIMIT:.0f} s", f"log: {log}") from None
        if code != 0:
            tail = "\n  ".join(log.read_text(errors="replace").splitlines()[-25:])
            raise ClusterError(f"building image {image.name} failed, log: {log}", tail)


class Buildah(Builder):
    """Without an engine: the local base image, chroot isolation, this machine's package settings as mounts."""

    def __init__(self) -> None:
        self.base = ""

    def prepare(self) -> None:
        """Install buildah and make the base image."""
        packages.need_root("building images without a container engine")
        packages.need(packages.FOR_IMAGES)
        self.base = base_image.ensure_base()

    def inputs(self) -> list[str]:
        """The base image is an input."""
        return [self.base]

    def command(self, image: Image, label: str, scratch: Path) -> list[str]:
        """buildah bud."""
        volumes = [f"--volume={each}" for each in host_settings.mounts(scratch)]
        options = ["--layers", "--isolation=chroot", "--network=host", f"--build-arg=BASE_IMAGE={base_image.BASE}"]
        names = [f"--label={LABEL}={label}", f"--tag={image.reference}", f"--file={image.containerfile}"]
        return ["buildah", "bud", *options, *volumes, *names, str(REPOSITORY)]

    def label(self, image: Image) -> str:
        """The label from buildah's storage."""
        template = f'{{{{index .OCIv1.Config.Labels "{LABEL}"}}}}'
        command = ["buildah", "inspect", "--type", "image", "--format", template, image.reference]
        done = run(command, what=f"looking for {image.reference}", check=False)
        return done.stdout.strip() if done.returncode == 0 else ""


class Engine(Builder):
    """With Docker or Podman: the public base image, the engine's own network settings."""

    def __init__(self, program: str) -> None:
        self.program = program

    def command(self, image: Image, label: str, scratch: Path) -> list[str]:
        """docker build."""
        names = [f"--label={LABEL}={label}", f"--tag={image.reference}", f"--file={image.containerfile}"]
        return [self.program, "build", *names, str(REPOSITORY)]

    def label(self, image: Image) -> str:
        """The label from the engine's storage."""
        template = f'{{{{index .Config.Labels "{LABEL}"}}}}'
        command = [self.program, "image", "inspect", "--format", template, image.reference]
        done = run(command, what=f"looking for {image.reference}", check=False)
        return done.stdout.strip() if done.returncode == 0 else ""


def clean() -> None:
    """Remove every image that this repository builds, the base among them; other images in the storage stay."""
    if not shutil.which("buildah"):
        return
    pattern = "reference=localhost/coderag-*"
    listing = run(["buildah", "images", "--quiet", "--no-trunc", "--filter", pattern], what="listing images").stdout
    if ids := sorted(set(listing.split())):
        run(["buildah", "rmi", "--force", *ids], what="removing images", timeout=600)
    say(f"removed {len(ids)} images")


def make_builder(provider: str) -> Builder:
    """The builder whose storage that provider loads images from."""
    if provider == "node":
        return Buildah()
    if program := engine():
        return Engine(program)
    raise ClusterError("no container engine answers", "start Docker, or use --provider node")
