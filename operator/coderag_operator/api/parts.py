"""Parts that several components of the spec share: placement, resources, references, images, storage."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from coderag_operator.api.base import Model, Rule, always
from coderag_operator.api.quantity import Quantity, Size, amount

ObjectName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$", max_length=253)]
DataKey = Annotated[str, Field(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253)]
KEY_PATTERN = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
LabelKey = Annotated[str, Field(max_length=317)]
LabelValue = Annotated[str, Field(max_length=63, pattern=r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$")]
Text = Annotated[str, Field(max_length=1024)]

GOOD_KEYS = Rule(
    cel=f"self.all(k, k.matches('{KEY_PATTERN}'))",
    message="a key is not in the form that Kubernetes takes",
    remedy="use letters, digits, -, _ and . after an optional prefix such as example.com/",
    holds=lambda mapping: all(re.match(KEY_PATTERN, key) for key in mapping),
)
OWN_PREFIXES = ("coderag.dev/", "app.kubernetes.io/")
OWN_KEYS = Rule(
    cel="self.all(k, !k.startsWith('coderag.dev/') && !k.startsWith('app.kubernetes.io/'))",
    message="keys below coderag.dev/ and app.kubernetes.io/ belong to the operator",
    remedy="use a key with your own prefix",
    holds=lambda mapping: not any(key.startswith(OWN_PREFIXES) for key in mapping),
)
NodeSelector = Annotated[dict[LabelKey, LabelValue], Field(max_length=16), GOOD_KEYS]
Labels = Annotated[dict[LabelKey, LabelValue], Field(max_length=16), GOOD_KEYS, OWN_KEYS]
Annotations = Annotated[dict[LabelKey, Text], Field(max_length=16), GOOD_KEYS, OWN_KEYS]


class Amounts(Model):
    """Quantities of the resources that a container may ask for."""

    cpu: Quantity | None = Field(None, description="Processor cores, for example 500m or 2.")
    memory: Quantity | None = Field(None, description="Memory, for example 512Mi.")
    ephemeral_storage: Quantity | None = Field(
        None, alias="ephemeral-storage", description="Local disk for logs and temporary files, for example 1Gi."
    )

    def given(self) -> dict[str, str]:
        """Return what was set, under the names of Kubernetes."""
        return {name: value for name, value in self.model_dump(by_alias=True).items() if value is not None}


def _request_within_limit(name: str) -> Rule:
    key = name if name.isidentifier() else name.replace("-", "__dash__")
    low, high = f"self.requests.{key}", f"self.limits.{key}"
    return Rule(
        cel=(
            f"!has(self.requests) || !has(self.limits) || !has({low}) || !has({high}) || "
            f"quantity(string({low})).compareTo(quantity(string({high}))) <= 0"
        ),
        message=f"the request for {name} is larger than its limit",
        remedy="lower the request or raise the limit",
        holds=lambda value: _ordered(value.requests.given().get(name), value.limits.given().get(name)),
        field="requests",
    )


def _ordered(low: str | None, high: str | None) -> bool:
    return low is None or high is None or amount(low) <= amount(high)


class Resources(Model):
    """What a container is promised and what it may use; what is left out keeps the component's default."""

    RULES: ClassVar = tuple(_request_within_limit(name) for name in ("cpu", "memory", "ephemeral-storage"))

    requests: Amounts = Field(
        default_factory=Amounts,
        description="What the node must have free. A request above the default limit raises that limit.",
    )
    limits: Amounts = Field(
        default_factory=Amounts,
        description="What the container may use at most. A limit below the default request lowers that request.",
    )


class Toleration(Model):
    """A taint that the pods accept."""

    RULES: ClassVar = (
        Rule(
            cel="has(self.key) || self.operator == 'Exists'",
            message="a toleration without a key accepts every taint",
            remedy="set operator to Exists, or add the key",
            holds=lambda toleration: toleration.key is not None or toleration.operator == "Exists",
            field="key",
        ),
        Rule(
            cel="!has(self.value) || self.operator == 'Equal'",
            message="operator Exists looks at no value",
            remedy="remove value, or set operator to Equal",
            holds=lambda toleration: toleration.value is None or toleration.operator == "Equal",
            field="value",
        ),
        Rule(
            cel="!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
            message="tolerationSeconds counts for effect NoExecute only",
            remedy="set effect to NoExecute, or remove tolerationSeconds",
            holds=lambda toleration: toleration.toleration_seconds is None or toleration.effect == "NoExecute",
            field="tolerationSeconds",
        ),
    )

    key: Annotated[str, Field(pattern=KEY_PATTERN, max_length=317)] | None = Field(
        None, description="Key of the taint; left out together with operator Exists, every taint."
    )
    operator: Literal["Exists", "Equal"] = Field("Equal", description="Exists accepts any value of the key.")
    value: LabelValue | None = Field(None, description="Value of the taint, for operator Equal.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        None, description="Effect of the taint; left out, every effect."
    )
    toleration_seconds: Annotated[int, Field(ge=0, le=86400)] | None = Field(
        None, description="How long a pod stays once the taint appears, for effect NoExecute; left out, for good."
    )


Tolerations = Annotated[tuple[Toleration, ...], Field(max_length=16)]


class ComponentSettings(Model):
    """What can be set on the pods of every component."""

    resources: Resources = Field(default_factory=Resources, description="Requests and limits of the container.")
    node_selector: NodeSelector = Field(
        default_factory=dict, description="Labels that a node must carry to run the pods."
    )
    tolerations: Tolerations = Field(default=(), description="Taints that the pods accept.")
    priority_class_name: ObjectName | None = Field(
        None, description="PriorityClass of the pods; it must exist. Left out, the cluster's default."
    )
    pod_labels: Labels = Field(default_factory=dict, description="More labels for the pods.")
    pod_annotations: Annotations = Field(default_factory=dict, description="More annotations for the pods.")


class SecretKey(Model):
    """One key of a Secret in the stack's namespace."""

    name: ObjectName = Field(description="Name of the Secret. Required: there is no Secret to guess.")
    key: DataKey = Field(description="Key in the Secret. Required: a Secret may hold several.")


class ConfigMapKey(Model):
    """One key of a ConfigMap in the stack's namespace."""

    name: ObjectName = Field(description="Name of the ConfigMap. Required: there is none to guess.")
    key: DataKey = Field(description="Key in the ConfigMap. Required: a ConfigMap may hold several.")


class ObjectReference(Model):
    """An object in the stack's namespace, by name."""

    name: ObjectName = Field(description="Name of the object. Required: there is none to guess.")


SAME_CLASS = Rule(
    cel="has(self.storageClassName) == has(oldSelf.storageClassName) && "
    "(!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",
    message="the storage class of a claim cannot be changed",
    remedy="put the old value back, or delete the stack and its claim first",
    holds=always,
    field="storageClassName",
)
NO_SHRINKING = Rule(
    cel="!has(self.size) || !has(oldSelf.size) || quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0",
    message="a claim cannot be made smaller",
    remedy="give the old size or a larger one",
    holds=always,
    field="size",
)
DeletionPolicy = Literal["Retain", "Delete"]


class Storage(Model):
    """A volume claim."""

    RULES: ClassVar = (SAME_CLASS, NO_SHRINKING)

    size: Size = Field("10Gi", description="Size of the claim. It can grow where the storage class allows it.")
    storage_class_name: ObjectName | None = Field(
        None, description="Storage class; left out, spec.storageClassName. It cannot be changed later."
    )


class Image(Model):
    """Where a component's image comes from; what is left out keeps the operator's default."""

    RULES: ClassVar = (
        Rule(
            cel="!has(self.repository) || has(self.tag) || has(self.digest)",
            message="an image repository is given without a version",
            remedy="add tag or digest",
            holds=lambda image: not image.repository or bool(image.tag or image.digest),
            field="repository",
        ),
    )

    repository: Annotated[str, Field(pattern=r"^[a-z0-9][-a-z0-9._:/]*[a-z0-9]$", max_length=255)] | None = Field(
        None, description="Registry and repository without a tag, for example registry.example.com/team/coderag-rag."
    )
    tag: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$", max_length=128)] | None = Field(
        None, description="Tag of the image."
    )
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$", max_length=71)] | None = Field(
        None, description="Digest of the image; wins over the tag."
    )
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        "IfNotPresent", description="When the image is pulled."
    )
