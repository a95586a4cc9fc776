"""The Git repositories of a stack."""

from collections import Counter
from typing import Annotated, ClassVar, TypeVar

from pydantic import Field
from pydantic_core import PydanticCustomError

from coderag_operator.api.base import Model, Rule
from coderag_operator.api.parts import ObjectReference
from coderag_operator.api.servers import HttpUrl

Named = TypeVar("Named", "Repository", ObjectReference)


def unique_names(entries: tuple[Named, ...]) -> tuple[Named, ...]:
    """Return the entries, or raise for a name that is given twice; the API server knows it from the list's key."""
    counts = Counter(entry.name for entry in entries)
    if twice := [name for name, count in counts.items() if count > 1]:
        text, remedy = f"the name {twice[0]} is given twice", "rename or remove one of the two"
        raise PydanticCustomError("rule", "{text}", {"text": text, "remedy": remedy})
    return entries


def _cron_field(number: str) -> str:
    item = rf"(\*|{number}(-{number})?)(/[1-9][0-9]?)?"
    return f"{item}(,{item})*"


# Minute, hour, day of the month, month, day of the week.
CRON_NUMBERS = ("[0-5]?[0-9]", "([01]?[0-9]|2[0-3])", "(0?[1-9]|[12][0-9]|3[01])", "(0?[1-9]|1[0-2])", "[0-7]")
CRON_PATTERN = f"^{' +'.join(map(_cron_field, CRON_NUMBERS))}$"


class Repository(Model):
    """A Git repository that is kept in the index."""

    RULES: ClassVar = (
        Rule(
            cel="!self.ref.contains('..') && !self.ref.endsWith('/')",
            message="the ref is not a name that Git takes",
            remedy="give a branch or tag such as main or release/2.0",
            holds=lambda repository: ".." not in repository.ref and not repository.ref.endswith("/"),
            field="ref",
        ),
    )

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=16)] = Field(
        description="Name by which searches and answers call the repository. Required: it tells repositories apart."
    )
    url: HttpUrl = Field(
        description="Clone address, http or https, without credentials. Required: there is no repository to guess."
    )
    ref: Annotated[str, Field(pattern=r"^[A-Za-z0-9._][A-Za-z0-9._/-]*$", max_length=200)] = Field(
        "main", description="Branch or tag that is indexed."
    )
    schedule: Annotated[str, Field(pattern=CRON_PATTERN, max_length=100)] = Field(
        "*/15 * * * *", description="When to look for new commits: five cron fields, in UTC, numbers only."
    )
    credentials_secret_ref: ObjectReference | None = Field(
        None, description="Secret with the key token, or username and password; left out, the clone is anonymous."
    )
