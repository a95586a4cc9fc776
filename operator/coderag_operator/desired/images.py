"""Which image a container runs: the operator's default, or what the stack says instead."""

from coderag_operator.api.parts import Image
from coderag_operator.desired.context import Context


def image(context: Context, name: str) -> dict[str, str]:
    """Return `image` and `imagePullPolicy` of a container."""
    override: Image = getattr(context.stack.spec.images, name)
    return {"image": reference(context.inputs.images[name], override), "imagePullPolicy": override.pull_policy}


def reference(default: str, override: Image) -> str:
    """Return the image reference: each part from the override where it is given; a digest wins over a tag."""
    repository = override.repository or repository_of(default)
    if override.digest:
        return f"{repository}@{override.digest}"
    if override.tag:
        return f"{repository}:{override.tag}"
    return default


def repository_of(image_reference: str) -> str:
    """Return a reference without tag and digest; a colon before the last slash is a port."""
    plain = image_reference.split("@", 1)[0]
    head, slash, tail = plain.rpartition("/")
    return head + slash + tail.split(":", 1)[0]
