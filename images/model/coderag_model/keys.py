"""The numbers of a model by key, each checked: one value, or one per layer, or absent where llama.cpp has a default."""

from coderag_model.bounded import GgufError
from coderag_model.contents import Value
from coderag_model.printable import shown

MOST = 2**31 - 1


class Keys:
    """The numbers under the prefix of an architecture; GgufError names the key that is missing or wrong."""

    def __init__(self, architecture: str, values: dict[str, Value]) -> None:
        self._prefix = architecture + "."
        self._values = values

    def one(self, suffix: str, default: int | None = None, most: int = MOST) -> int:
        """Return a number from 1 (0 where there is a default) to `most`."""
        value = self._values.get(self._prefix + suffix, default)
        if value is None:
            raise GgufError("NotGguf", f"the key {shown(self._prefix + suffix)!r} is missing")
        if not isinstance(value, int):
            raise GgufError("NotGguf", f"the key {shown(self._prefix + suffix)!r} is not a single whole number")
        return self._checked(value, suffix, 1 if default is None else 0, most)

    def per_layer(self, suffix: str, layers: int, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
        """Return the number of each layer, which is one for all or one for each."""
        value = self._values.get(self._prefix + suffix)
        if value is None and default is not None:
            return default
        if not isinstance(value, tuple):
            return (self.one(suffix),) * layers
        if len(value) != layers:
            raise GgufError(
                "NotGguf", f"the key {shown(self._prefix + suffix)!r} has {len(value)} values for {layers} layers"
            )
        return tuple(self._checked(number, suffix, 1, MOST) for number in value)

    def flags(self, suffix: str, layers: int) -> tuple[bool, ...] | None:
        """Return one flag per layer where the key is a list; those that it lacks are off."""
        value = self._values.get(self._prefix + suffix)
        if not isinstance(value, tuple):
            return None
        return tuple(bool(flag) for flag in value[:layers]) + (False,) * max(0, layers - len(value))

    def _checked(self, value: int, suffix: str, least: int, most: int) -> int:
        if not least <= value <= most:
            raise GgufError("NotGguf", f"the key {shown(self._prefix + suffix)!r} is not in {least}..{most}")
        return value
