"""The one exception a user of the cluster harness sees: what went wrong and what to do about it."""


class ClusterError(Exception):
    """Something the person at the keyboard can act on."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(f"{message}\n  {remedy}" if remedy else message)
        self.message = message
        self.remedy = remedy
