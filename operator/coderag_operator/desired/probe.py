"""The Job that measures how much of a node's GPU is free: llama-server itself says it, as it will see it later."""

from collections.abc import Iterator

from coderag_operator.api.parts import ComponentSettings
from coderag_operator.desired import names
from coderag_operator.desired.context import Context, Manifest, checksum
from coderag_operator.desired.gpu import grant
from coderag_operator.desired.placement import NODE
from coderag_operator.desired.pod import Pod, template

DEADLINE_SECONDS = 120  # for the image to be pulled too; after that the node's label has to do
# The list of devices is the container's last word: nothing of it has to be kept but one line.
COMMAND = "llama-server --list-devices > /dev/termination-log 2>&1"


def probe_name(node: str, driver: str) -> str:
    """Return what names the measurement of a node under a driver."""
    return checksum([node, driver])[:10]


def probes(context: Context) -> Iterator[Manifest]:
    """Yield the Job that measures a node, while one is wanted."""
    wanted = context.inputs.probe
    if wanted is None:
        return
    pod = Pod(
        component=names.MODELS,
        image="llama",
        settings=ComponentSettings(),
        command=["sh", "-c", COMMAND],
        gpu=grant(context),
        node_selector=context.stack.spec.gpu.node_selector | {NODE: wanted.node},
        tolerations=context.stack.spec.gpu.tolerations,
        restart_policy="Never",
    )
    body = {"backoffLimit": 0, "activeDeadlineSeconds": DEADLINE_SECONDS, "template": template(context, pod)}
    yield context.manifest("batch/v1", "Job", names.MODELS, f"probe-{wanted.name}", spec=body)
