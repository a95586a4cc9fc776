"""The kinds that the operator touches and where the API server serves them."""

from dataclasses import dataclass

GROUP = "coderag.dev"
VERSION = "v1alpha1"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: how a manifest names it and how a URL does; without a namespace, the whole cluster's."""

    name: str
    group: str
    version: str
    plural: str

    @property
    def api_version(self) -> str:
        """Return the kind's apiVersion as a manifest writes it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        """Return the URL path of a collection, an object or a subresource."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        parts = [root, f"namespaces/{namespace}" if namespace else None, self.plural, name, subresource]
        return "/".join(part for part in parts if part)


STACK = Kind("CodeRagStack", GROUP, VERSION, "coderagstacks")
LEASE = Kind("Lease", "coordination.k8s.io", "v1", "leases")
EVENT = Kind("Event", "", "v1", "events")
REPLICA_SET = Kind("ReplicaSet", "apps", "v1", "replicasets")
POD = Kind("Pod", "", "v1", "pods")
SECRET = Kind("Secret", "", "v1", "secrets")
NODE = Kind("Node", "", "v1", "nodes")
RESOURCE_SLICE = Kind("ResourceSlice", "resource.k8s.io", "v1", "resourceslices")
RESOURCE_CLAIM = Kind("ResourceClaim", "resource.k8s.io", "v1", "resourceclaims")
OPTIONAL = (RESOURCE_CLAIM,)  # served since Kubernetes 1.34: an older API server is not asked to watch them
CHILDREN = (
    Kind("Deployment", "apps", "v1", "deployments"),
    Kind("StatefulSet", "apps", "v1", "statefulsets"),
    Kind("Job", "batch", "v1", "jobs"),
    Kind("CronJob", "batch", "v1", "cronjobs"),
    Kind("ConfigMap", "", "v1", "configmaps"),
    Kind("PersistentVolumeClaim", "", "v1", "persistentvolumeclaims"),
    Kind("ServiceAccount", "", "v1", "serviceaccounts"),
    Kind("Service", "", "v1", "services"),
    Kind("Ingress", "networking.k8s.io", "v1", "ingresses"),
    Kind("NetworkPolicy", "networking.k8s.io", "v1", "networkpolicies"),
    Kind("PodDisruptionBudget", "policy", "v1", "poddisruptionbudgets"),
    *OPTIONAL,
)
WATCHED = (*CHILDREN, POD, SECRET)
BY_NAME = {kind.name: kind for kind in (*WATCHED, STACK, LEASE, EVENT, REPLICA_SET)}
