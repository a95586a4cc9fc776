"""A server that comes and goes, and how often somebody else took over meanwhile."""

import contextlib
import time

from e2e.failover.endpoints import Served, history
from e2e.failover.faults import Act, stopped
from e2e.failover.site import Site
from e2e.failover.watch import Watch
from e2e.kubectl import CommandError


def flap(site: Site, every: float, times: int, act: Act = stopped) -> list[Served]:
    """Do something to whatever chat pod there is, end it, and so on; return who served since when."""
    service = f"kubernetes.io/service-name={site.name}-{site.active.format(role='chat')}"
    with Watch(site, "endpointslices", service) as seen:
        for _ in range(times):
            with contextlib.suppress(CommandError), act(site):  # a pod that is just being replaced is left alone
                time.sleep(every)
            time.sleep(every)
    return history(seen.changes, lambda pod: "code" if "-code-" in pod else "chat")
