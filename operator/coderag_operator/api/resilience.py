"""How a stack behaves when something is down or being replaced: failover between the models, rollout of a new one."""

from typing import Annotated, ClassVar

from pydantic import Field

from coderag_operator.api.base import Model, Rule
from coderag_operator.api.quantity import Between, DurationText, seconds

Wait = Annotated[DurationText, Between("1s", "1h")]


class Failover(Model):
    """When one model answers for the other, at the gateway and behind the Services <stack>-active-chat and -code."""

    RULES: ClassVar = (
        Rule(
            cel="!has(self.flapWindow) || !has(self.failbackAfter) || "
            "duration(self.flapWindow) >= duration(self.failbackAfter)",
            message="failbackAfter is longer than flapWindow",
            remedy="lower failbackAfter or raise flapWindow",
            holds=lambda failover: seconds(failover.flap_window) >= seconds(failover.failback_after),
            field="failbackAfter",
        ),
    )

    chat_to_code: bool = Field(True, description="The code model answers for chat while the chat model is down.")
    code_to_chat: bool = Field(True, description="The chat model answers for code while the code model is down.")
    failover_after: Wait = Field(
        "10s",
        description="How long a model server may be not ready before the active Service moves to the other. The "
        "gateway does not wait: it falls back with the first request that fails.",
    )
    failback_after: Wait = Field(
        "60s", description="How long a server must be ready again before its role comes back; doubled by each flap."
    )
    dwell: Wait = Field("120s", description="How long a role stays with the other model at least.")
    flap_window: Wait = Field("15m", description="How long a failover counts as a flap of the next one.")
    stall_after: Wait | None = Field(
        None,
        description="How long a server may hold requests without a step of work before it counts as wedged and is "
        "replaced. Longer than its slowest batch; left out, 6s on a GPU and 60s with gpu.sharing None.",
    )


class Rollout(Model):
    """How a new model, or new flags of one, comes into service."""

    progress_deadline: Annotated[DurationText, Between("10s", "24h")] = Field(
        "10m",
        description="How long a new model server has from its start until it answers; after that the old one comes "
        "back and the change is refused until the spec changes again.",
    )
