"""Why a fetch failed, in the words that the operator turns into conditions.

Messages never hold a credential or a query string.
"""

import errno

NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class FetchError(Exception):
    """A failure with a reason; `transient` means that the same command may succeed later."""

    def __init__(self, reason: str, message: str, *, transient: bool = False, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.reason = reason
        self.transient = transient
        self.retry_after = retry_after


def volume_error(error: OSError, doing: str) -> FetchError:
    """Return what a failed file operation means. A full volume is worth another try: it can be enlarged."""
    text = error.strerror or type(error).__name__
    if error.errno in NO_SPACE:
        return FetchError("NoSpace", f"{doing}: {text}", transient=True)
    if error.errno == errno.ENOENT:
        return FetchError("NotFound", f"{doing}: {text}")
    return FetchError("VolumeError", f"{doing}: {text}", transient=True)
