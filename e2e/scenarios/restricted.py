"""The restricted Pod Security Standard as a list of what a pod spec breaks; the last word is the API server's own."""

from typing import Any

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


def violations(pod: dict[str, Any]) -> list[str]:
    """Return what breaks the restricted level, or this project's stricter rules (read-only root, no service links)."""
    context = pod.get("securityContext", {})
    found = [f"pod uses {key}" for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key)]
    if context.get("runAsNonRoot") is not True:
        found.append("runAsNonRoot is not true")
    if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        found.append("seccompProfile is not RuntimeDefault")
    if pod.get("enableServiceLinks") is not False:
        found.append("enableServiceLinks is not false")
    for volume in pod.get("volumes", []):
        found += [f"volume {volume['name']} is a {kind}" for kind in volume if kind != "name" and kind not in VOLUMES]
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        found += container_violations(container)
    return found


def container_violations(container: dict[str, Any]) -> list[str]:
    """Return what one container breaks."""
    context, name = container.get("securityContext", {}), container["name"]
    rules = {
        "allowPrivilegeEscalation is not false": context.get("allowPrivilegeEscalation") is False,
        "capabilities are not dropped": context.get("capabilities") == {"drop": ["ALL"]},
        "the root file system can be written": context.get("readOnlyRootFilesystem") is True,
        "no resources are requested": bool(container.get("resources", {}).get("requests")),
        "a host port is used": not any(port.get("hostPort") for port in container.get("ports", [])),
    }
    return [f"{name}: {rule}" for rule, holds in rules.items() if not holds]
