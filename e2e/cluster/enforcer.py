"""Enforces NetworkPolicies on the node: a process that keeps the packet filter at what the API says.

kind's own network does the same there. It runs inside the cluster's network namespace, sees every connection of a pod
because pods are joined by routed pairs, and leaves the last rules in force when it ends.
"""

from e2e.cluster.api_client import Api, Loop, helper_arguments, log
from e2e.cluster.commands import run
from e2e.cluster.policies import ruleset

USER = "policies"
RESOURCES = ("pods", "namespaces", "networkpolicies")


class Enforcer:
    """Remembers what is in force, so that a pod's change of status costs no rules."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.applied = ""

    def enforce(self) -> None:
        """Bring the rules up to date."""
        wanted = ruleset(*(self.api.list(resource) for resource in RESOURCES))
        if wanted != self.applied:
            run(["nft", "--file", "-"], what="applying the NetworkPolicies", text_in=wanted, timeout=30)
            self.applied = wanted
            log(f"applied {wanted.count(' jump ')} chains")


def main() -> None:
    """python3 -m e2e.cluster.enforcer --server URL --pki FOLDER"""
    options = helper_arguments("Enforce the NetworkPolicies of one node.", USER)
    api = Api(options.server, options.pki, USER)
    Loop(api, RESOURCES, Enforcer(api).enforce).run()


if __name__ == "__main__":
    main()
