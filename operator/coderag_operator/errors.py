"""How a call can fail, by what the operator does about it. Nothing else needs to tell failures apart.

Failure
├── Transient     try again with backoff
├── Terminal      a person has to change something; trying again changes nothing
├── Blocked       waits for something outside (a Secret, a quota); look again in half a minute
└── Vanished      the namespace or the stack is going away; stop quietly
    └── Unserved  the API server does not know the kind at all: too old, or its definition is missing
"""


class Failure(Exception):  # noqa: N818 - named after what it says
    """A failed call with a message that is fit for a condition: no address, no time, no identifier, no secret."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Transient(Failure):
    """The API server or the network is busy or gone for the moment."""

    def __init__(self, reason: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(reason, message)
        self.retry_after = retry_after


class Terminal(Failure):
    """The API server refuses the object as it is."""


class Blocked(Failure):
    """Something outside the operator's reach has to happen first."""


class Vanished(Failure):
    """The object's namespace is terminating or the object is gone."""


class Unserved(Vanished):
    """The API server does not serve this kind."""
