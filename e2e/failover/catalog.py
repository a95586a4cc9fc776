"""The faults of the table by name: those of real servers, and those that only a server with switches can show."""

from e2e.failover import faults, models
from e2e.failover.faults import Act, together
from e2e.failover.run import Fault
from e2e.failover.site import Site

STOP_SECONDS = 90.0


def replaced(site: Site, uid: str) -> bool:
    """Tell whether another pod has the role than the one with this uid."""
    return bool(site.pods("chat")) and all(pod["metadata"]["uid"] != uid for pod in site.pods("chat"))


def rolled(site: Site, _: str) -> bool:
    """Tell whether a change of the spec has run its course: done, or rolled back."""
    stack = site.get("crs", site.name)
    chat = next((one for one in stack.get("status", {}).get("roles", []) if one["role"] == "chat"), {})
    conditions = {one["type"]: one for one in stack.get("status", {}).get("conditions", [])}
    current = conditions.get("Ready", {}).get("observedGeneration") == stack["metadata"]["generation"]
    step = (chat.get("rollout") or {}).get("step")
    return current and (step == "RolledBack" or conditions["Ready"]["status"] == "True")


def stopping(name: str, act: Act) -> Fault:
    """Return a fault that lasts until the pod is replaced."""
    return Fault(name, act, hold=STOP_SECONDS, until=replaced)


REAL = (
    Fault("killed", faults.killed),
    stopping("stopped", faults.stopped),
    Fault("pod deleted", faults.deleted),
    Fault("kubelet restarted", faults.kubelet_restarted),
)
# Only where there is an operator.
MANAGED = (
    Fault("model changed", models.changed(models.NEXT, keep=True)),
    Fault("model changed back", models.changed("chat.gguf", keep=True)),
    Fault("killed, operator down", together(faults.operator_down, faults.killed), hold=30),
    Fault("stopped, operator down", together(faults.operator_down, faults.stopped), hold=60),
    Fault("killed, operator killed every 20 s", together(faults.operator_killed, faults.killed), hold=60),
    stopping("stopped, operator killed every 20 s", together(faults.operator_killed, faults.stopped)),
    Fault("model with a wrong sha256", models.changed(models.WRONG), hold=60),
    Fault("model file that is too short", models.changed(models.SHORT), hold=60),
    Fault("model that crashes on load", models.changed(models.CRASH), hold=300, until=rolled),
    Fault("model that cannot chat", models.changed(models.MUTE), hold=300, until=rolled),
)
# By hand, a changed model is a changed Deployment.
PLAIN = (Fault("model changed", faults.model_replaced("next.model")),
         Fault("model changed back", faults.model_replaced("chat.gguf")))  # fmt: skip
SWITCHED = (
    Fault("503", faults.switched(health=503), hold=30),
    Fault("500", faults.switched(status=500), hold=30),
    Fault("429", faults.switched(status=429), hold=30),
    stopping("hangs while healthy", faults.switched(hang=True)),
    stopping("hangs, metrics too", faults.switched(hang=True, block_metrics=True)),
    Fault("one 500 of the stand-in while the primary is down",
          together(faults.switched(health=503), faults.switched("code", status=500, times=1)), hold=30),
    Fault("streams cut", faults.switched(cut_after=3), hold=20),
)  # fmt: skip
