"""Posts Events, few of them: the same reason and message on the same stack is one Event whose time moves on.

An Event that cannot be posted is logged and forgotten: it must never fail a pass.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from coderag_operator.errors import Failure
from coderag_operator.events import Notice
from coderag_operator.kube.client import Kube, Manifest
from coderag_operator.kube.kinds import EVENT, STACK
from coderag_operator.observed.child import Live

log = logging.getLogger(__name__)
COMPONENT = "coderag-operator"
MESSAGE_LIMIT = 1024  # the API server refuses more


class Recorder:
    """Posts the notices of a pass as Events about its stack."""

    def __init__(self, kube: Kube, instance: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._kube, self._instance, self._now = kube, instance, now

    def post(self, body: Live, notices: Iterable[Notice]) -> None:
        """Post every notice about the stack."""
        for notice in notices:
            try:
                self._post(self.describe(body, notice))
            except Failure as failure:
                log.warning("Event could not be posted", extra={"reason": failure.reason, "detail": failure.message})

    def _post(self, event: Manifest) -> None:
        if self._kube.create(event) is not None:
            return
        namespace, name = event["metadata"]["namespace"], event["metadata"]["name"]
        self._kube.merge(EVENT, namespace, name, {"lastTimestamp": event["lastTimestamp"]})

    def describe(self, body: Live, notice: Notice) -> Manifest:
        """Return the Event for a notice; equal notices about one stack have one name."""
        metadata, now = body["metadata"], self._now().strftime("%Y-%m-%dT%H:%M:%SZ")
        identity = "\n".join((metadata["uid"], notice.reason, notice.message))
        about = {name: metadata[name] for name in ("name", "namespace", "uid")}
        return {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.name,
            "metadata": {
                "namespace": metadata["namespace"],
                "name": f"{metadata['name']}.{hashlib.sha256(identity.encode()).hexdigest()[:16]}",
            },
            "involvedObject": {"apiVersion": STACK.api_version, "kind": STACK.name, **about},
            "type": notice.type,
            "reason": notice.reason,
            "message": notice.message[:MESSAGE_LIMIT],
            "source": {"component": COMPONENT},
            "reportingComponent": COMPONENT,
            "reportingInstance": self._instance,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
