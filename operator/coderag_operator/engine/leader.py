"""Leadership by a Lease, in a thread of its own: a busy event loop or a long pass must not cost the leadership.

client-go's figures: others may take over 15 s after the last renewal, the leader gives up 10 s after it, and both look
every 2 s. The clocks of two machines are never compared: a Lease counts as abandoned when its record has not changed
for as long as it promises, by the clock of the one who looks.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from coderag_operator.errors import Failure, Transient, Vanished
from coderag_operator.kube.client import Kube
from coderag_operator.kube.kinds import LEASE

log = logging.getLogger(__name__)

DURATION = 15.0
RENEW_DEADLINE = 10.0
RETRY_PERIOD = 2.0


class Leader:
    """One candidate for one Lease. `step` is one look at it; `run` steps until stopped or lost."""

    def __init__(
        self,
        kube: Kube,
        namespace: str,
        name: str,
        identity: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._kube, self._namespace, self._name, self._identity = kube, namespace, name, identity
        self._clock, self._now = clock, now
        self._seen: dict[str, Any] = {}  # the record as last read, without our own renewals
        self._seen_at = 0.0
        self._renewed_at: float | None = None
        self._lease: dict[str, Any] | None = None  # as we last wrote it: a renewal need not read it first
        self._stop = threading.Event()

    @property
    def leading(self) -> bool:
        """Tell whether the Lease is ours and was renewed in time."""
        return self._renewed_at is not None and self._clock() - self._renewed_at < RENEW_DEADLINE

    def step(self) -> bool:
        """Take or renew the Lease if it can be had; tell whether we hold it."""
        try:
            held = self._acquire()
        except Failure as failure:
            log.warning("Lease could not be renewed", extra={"reason": failure.reason, "detail": failure.message})
            return self.leading
        if held:
            self._renewed_at = self._clock()
        elif self._renewed_at is not None:  # another holder wrote its name: ours is over, whatever the clock says
            self._renewed_at = float("-inf")
        return held

    def run(self, gained: Callable[[], None], lost: Callable[[], None]) -> None:
        """Compete until stopped: call `gained` once when we lead, and `lost` once when that is over."""
        led = False
        while not self._stop.is_set():
            self.step()
            if self.leading and not led:
                led = True
                gained()
            elif led and not self.leading:
                lost()
                return
            self._stop.wait(RETRY_PERIOD)

    def stop(self) -> None:
        """End `run` without giving the Lease back."""
        self._stop.set()

    def release(self) -> None:
        """Give the Lease back, so that the next one does not have to wait; only after the last write."""
        if not self.leading:
            return
        self._renewed_at = self._lease = None
        try:
            lease = self._kube.get(LEASE, self._namespace, self._name)
            if lease is not None and lease["spec"].get("holderIdentity") == self._identity:
                lease["spec"].update(holderIdentity="", leaseDurationSeconds=1)
                self._kube.replace(lease)
        except Failure as failure:
            log.warning("Lease could not be released", extra={"reason": failure.reason, "detail": failure.message})

    def _acquire(self) -> bool:
        if self._lease is not None and self._write(self._lease):
            return True
        self._lease = None
        lease = self._kube.get(LEASE, self._namespace, self._name)
        if lease is None:
            return self._kube.create(self._describe({})) is not None
        return self._may_take(lease.get("spec") or {}) and self._write(lease)

    def _write(self, lease: dict[str, Any]) -> bool:
        """Put our name and the time into the Lease; False when somebody has changed it since it was read."""
        try:
            self._lease = self._kube.replace({**lease, **self._describe(lease.get("spec") or {}, lease["metadata"])})
        except Transient as failure:
            if failure.reason == "Conflict":
                return False
            raise
        except Vanished:
            return False
        return True

    def _may_take(self, record: dict[str, Any]) -> bool:
        if record != self._seen:
            self._seen, self._seen_at = record, self._clock()
        holder = record.get("holderIdentity") or ""
        if holder in ("", self._identity):
            return True
        return self._clock() - self._seen_at >= float(record.get("leaseDurationSeconds") or DURATION)

    def _describe(self, before: dict[str, Any], metadata: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the Lease as we want it: the holder's start and the count of changes survive a renewal."""
        now = self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        ours = before.get("holderIdentity") == self._identity
        spec = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(DURATION),
            "acquireTime": before.get("acquireTime", now) if ours else now,
            "renewTime": now,
            "leaseTransitions": int(before.get("leaseTransitions") or 0) + (0 if ours or not before else 1),
        }
        named = metadata or {"namespace": self._namespace, "name": self._name}
        return {"apiVersion": LEASE.api_version, "kind": LEASE.name, "metadata": named, "spec": spec}
