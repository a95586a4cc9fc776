"""One condition before it gets its times."""

from dataclasses import dataclass

TRUE, FALSE, UNKNOWN = "True", "False", "Unknown"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One condition without its times."""

    type: str
    status: str
    reason: str
    message: str
