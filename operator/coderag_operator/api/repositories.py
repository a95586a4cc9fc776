"""The Git repositories of a stack."""

from collections import Counter
from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from coderag_operator.api.base import Model, Rule
from coderag_operator.api.parts import ObjectReference, SecretKey

Named = TypeVar("Named", "Repository", ObjectReference)


def unique_names(entries: tuple[Named, ...]) -> tuple[Named, ...]:
    """Return the entries, or raise for a name that is given twice; the API server knows it from the list's key."""
    refuse_twice([entry.name for entry in entries], "the name", "rename or remove one of the two")
    return entries


def unique(values: tuple[str, ...]) -> tuple[str, ...]:
    """Return the values, or raise for one that is given twice; the API server knows it from the list's type."""
    refuse_twice(values, "the value", "remove one of the two")
    return values


def refuse_twice(values: tuple[str, ...] | list[str], what: str, remedy: str) -> None:
    """Raise for the first value that is there twice."""
    if twice := [value for value, count in Counter(values).items() if count > 1]:
        text = f"{what} {twice[0]} is given twice"
        raise PydanticCustomError("rule", "{text}", {"text": text, "remedy": remedy})


def _cron_field(number: str) -> str:
    item = rf"(\*|{number}(-{number})?)(/[1-9][0-9]?)?"
    return f"{item}(,{item})*"


# Minute, hour, day of the month, month, day of the week.
CRON_NUMBERS = ("[0-5]?[0-9]", "([01]?[0-9]|2[0-3])", "(0?[1-9]|[12][0-9]|3[01])", "(0?[1-9]|1[0-2])", "[0-7]")
CRON_PATTERN = f"^{' +'.join(map(_cron_field, CRON_NUMBERS))}$"
Schedule = Annotated[str, Field(pattern=CRON_PATTERN, max_length=100)]

SSH = "ssh://"
RepositoryName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=16)]
# Short enough that the addresses of 64 repositories fit into one environment variable.
RepositoryUrl = Annotated[
    str,
    Field(
        pattern=r"^(https?://[^\s/@]+(/[^\s]*)?|ssh://([A-Za-z0-9_][A-Za-z0-9._-]*@)?[A-Za-z0-9\[][^\s/@]*/[^\s]+)$",
        max_length=1024,
    ),
]
Ref = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9._][A-Za-z0-9._/-]*$", max_length=200),
    Rule(
        cel="!self.contains('..') && !self.endsWith('/')",
        message="the ref is not a name that Git takes",
        remedy="give a branch or tag such as main or release/2.0",
        holds=lambda ref: ".." not in ref and not ref.endswith("/"),
    ),
]
# No blank at the ends, no backslash, nothing that cannot be seen; a ! would look as if it negated.
PATH_PATTERN = r"^[^/!\\\s\x00-\x1f\x7f]([^\\\x00-\x1f\x7f]*[^\\\s\x00-\x1f\x7f])?$"
SubPath = Annotated[
    str,
    Field(pattern=PATH_PATTERN, max_length=200),
    Rule(
        cel="!('/' + self + '/').matches('/[.]{0,2}/')",
        message="the path is not one below the root of the repository",
        remedy="write it as src/app, without a slash at the ends and without . and ..",
        holds=lambda path: not {"", ".", ".."} & set(path.split("/")),
    ),
]
Glob = Annotated[str, Field(pattern=PATH_PATTERN, max_length=128)]
AS_SET = {"x-kubernetes-list-type": "set"}
Globs = Annotated[tuple[Glob, ...], Field(max_length=32, json_schema_extra=AS_SET), AfterValidator(unique)]


class Repository(Model):
    """A Git repository that is kept in the index."""

    RULES: ClassVar = (
        Rule(
            cel="!has(self.refs) || !(self.ref in self.refs)",
            message="refs holds ref, which is indexed anyway",
            remedy="remove it from refs",
            holds=lambda repository: repository.ref not in repository.refs,
            field="refs",
        ),
        Rule(
            cel=f"!self.url.startsWith('{SSH}') || has(self.credentialsSecretRef)",
            message="an ssh address needs a key",
            remedy="name a Secret with ssh-privatekey and known_hosts in credentialsSecretRef",
            holds=lambda repository: not repository.over_ssh or repository.credentials_secret_ref is not None,
            field="credentialsSecretRef",
        ),
    )

    name: RepositoryName = Field(
        description="Name by which searches and answers call the repository. Required: it tells repositories apart."
    )
    url: RepositoryUrl = Field(
        description="Clone address: https, http, or ssh://git@host/path; without a password. Required: there is no "
        "repository to guess."
    )
    ref: Ref = Field("main", description="Branch or tag that is indexed.")
    refs: Annotated[tuple[Ref, ...], Field(max_length=8, json_schema_extra=AS_SET), AfterValidator(unique)] = Field(
        default=(), description="More branches or tags, which are searched only where a search names them."
    )
    paths: Annotated[tuple[SubPath, ...], Field(max_length=16, json_schema_extra=AS_SET), AfterValidator(unique)] = (
        Field(default=(), description="Folders that are indexed, for example src; none: the whole repository.")
    )
    include: Globs = Field(
        default=(), description="Globs of the files that are indexed, for example **/*.py; none: every file."
    )
    exclude: Globs = Field(
        default=(), description="Globs of files that are not indexed, for example vendor/**; they win over include."
    )
    schedule: Schedule = Field(
        "*/15 * * * *", description="When to look for new commits: five cron fields, in UTC, numbers only."
    )
    credentials_secret_ref: ObjectReference | None = Field(
        None,
        description="Secret with the key token, or username and password; for an ssh address with ssh-privatekey and "
        "known_hosts. Left out, the clone is anonymous.",
    )
    webhook_secret_ref: SecretKey | None = Field(
        None,
        description="Secret key that webhooks of the Git host are signed with; they go to /v1/webhooks/<name>. Left "
        "out, none is taken.",
    )
    host: Literal["github", "gitlab", "gitea", "bitbucket", "bitbucket-server"] | None = Field(
        None, description="Software of the Git host, for links to lines; left out, its name tells, or there is no link."
    )

    @property
    def over_ssh(self) -> bool:
        """Tell whether the repository is cloned over ssh."""
        return self.url.startswith(SSH)
