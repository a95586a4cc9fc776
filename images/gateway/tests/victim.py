"""A model server as a process of its own, to be killed: holds every request for ever. Prints its port, then a line
for each request that it has.

usage: python -m images.gateway.tests.victim AFTER PORT
"""

import sys

from images.gateway.tests.upstream import Fault, Upstream

upstream = Upstream("victim", port=int(sys.argv[2]), fault=Fault(sys.argv[1], "hang"))
upstream.release.clear()
upstream.start()
print(upstream.port, flush=True)  # noqa: T201
for count in range(1, 1000):
    upstream.wait_for(count, seconds=300)
    print(count, flush=True)  # noqa: T201
