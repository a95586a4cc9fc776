"""The values that chunking passes on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Definition:
    """A named part of a file: a function, a class, a section. Rows count from 0 and both ends are included."""

    name: str
    qualified: str
    kind: str
    first_row: int
    name_row: int
    last_row: int
    signature: str = ""
    summary: str = ""


@dataclass(frozen=True)
class Span:
    """Rows [start, stop) of a file."""

    start: int
    stop: int


@dataclass(frozen=True)
class Chunk:
    """Whole lines of a file, 1-based and inclusive, with the definitions that begin in it and the one around it.

    `text` is verbatim. `lead` are lines from further up that it cannot be understood without, such as the header of a
    table; `readable` is what the lines say where they are encoded, such as a notebook's: both are embedded only.
    """

    start_line: int
    end_line: int
    text: str
    definitions: tuple[Definition, ...] = ()
    enclosing: Definition | None = None
    lead: str = ""
    readable: str | None = None

    @property
    def body(self) -> str:
        """The lines as they are embedded; empty for lines that only keywords should find."""
        return self.lead + (self.text if self.readable is None else self.readable)

    @property
    def symbols(self) -> list[str]:
        """Return the names defined here: of each definition the last part, then the qualified name."""
        code = [definition for definition in self.definitions if definition.kind != "section"]
        names = [name for definition in code for name in (definition.name, definition.qualified)]
        return list(dict.fromkeys(names))

    @property
    def within(self) -> str:
        """Return the qualified name of the innermost definition that began before this chunk; "" in none."""
        around = self.enclosing
        return around.qualified if around and around.kind != "section" else ""
