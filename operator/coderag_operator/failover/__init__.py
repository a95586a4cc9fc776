"""Two models that cover for each other: who answers for a role, how a new model comes in, which labels say so.

Pure: the clock, what the prober saw and the live pods are arguments; facts in, facts and orders out.
"""

from coderag_operator.failover.decide import Decision, Scene, decide, earliest
from coderag_operator.failover.orders import follow_orders, read_revisions
from coderag_operator.failover.progress import Pulse

__all__ = ["Decision", "Pulse", "Scene", "decide", "earliest", "follow_orders", "read_revisions"]
