"""Settings from the environment, with errors that name the variable and say what to do."""

from collections.abc import Mapping


class InvalidSetting(Exception):  # noqa: N818 - reads as the state it names
    """A variable is missing or has an impossible value."""

    def __init__(self, name: str, problem: str, remedy: str) -> None:
        super().__init__(f"{name}: {problem}; {remedy}")
        self.name = name


class Environment:
    """A typed view of environment variables. Values are never repeated in errors: they may be secrets."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def text(self, name: str, default: str | None = None) -> str:
        """Return a variable, its default, or fail when it has none."""
        value = self._values.get(name, "").strip()
        if value:
            return value
        if default is None:
            raise InvalidSetting(name, "is not set", "set this environment variable")
        return default

    def url(self, name: str, default: str | None = None) -> str:
        """Return an http(s) URL without its trailing slash."""
        value = self.text(name, default)
        if value and not value.startswith(("http://", "https://")):
            raise InvalidSetting(name, "is not an http or https URL", "write it as http://host:port")
        return value.rstrip("/")

    def number(self, name: str, default: float, minimum: float = 0.0) -> float:
        """Return a number that is at least the minimum."""
        try:
            value = float(self.text(name, str(default)))
        except ValueError:
            raise InvalidSetting(name, "is not a number", f"use a number like {default:g}") from None
        if not value >= minimum or value == float("inf"):
            raise InvalidSetting(name, f"is below {minimum:g} or not finite", f"use a number like {default:g}")
        return value

    def integer(self, name: str, default: int, minimum: int = 0) -> int:
        """Return a whole number that is at least the minimum."""
        value = self.number(name, default, minimum)
        if not value.is_integer():
            raise InvalidSetting(name, "is not a whole number", f"use a number like {default}")
        return int(value)

    def names(self, name: str, default: str | None = None) -> tuple[str, ...]:
        """Return the parts of a comma list, blanks left out."""
        return tuple(part.strip() for part in self.text(name, default).split(",") if part.strip())

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a true or false."""
        value = self.text(name, str(default)).lower()
        if value not in ("true", "false"):
            raise InvalidSetting(name, "is neither true nor false", "use true or false")
        return value == "true"
