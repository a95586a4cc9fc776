"""What POST /v1/embeddings accepts, and how a refusal names the field and the remedy."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from coderag_embedding.errors import ApiError

MAX_INPUTS = 256
MAX_CHARACTERS = 32_768
MAX_BODY_BYTES = 32 * 1024 * 1024  # 256 texts of 32,768 characters of up to 4 bytes

Text = Annotated[str, Field(min_length=1, max_length=MAX_CHARACTERS)]
Lane = Literal["query", "passage"]


class EmbeddingRequest(BaseModel):
    """OpenAI's request plus `input_type`. Unknown fields are refused: a misspelt one would silently do nothing."""

    model_config = ConfigDict(extra="forbid", strict=True)
    model: str
    input: Annotated[list[Text], Field(min_length=1, max_length=MAX_INPUTS)]
    input_type: Lane = "passage"
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, Field(gt=0)] | None = None
    user: str | None = None

    @field_validator("input", mode="before")
    @classmethod
    def _one_text_is_a_list_of_one(cls, value: Any) -> Any:
        if _is_tokens(value):
            raise PydanticCustomError("token_input", "Lists of token numbers are not accepted")
        return [value] if isinstance(value, str) else value

    @field_validator("input_type", mode="before")
    @classmethod
    def _a_document_is_a_passage(cls, value: Any) -> Any:
        return "passage" if value == "document" else value

    @field_validator("input_type", "encoding_format", mode="before")
    @classmethod
    def _null_is_absent(cls, value: Any, info: Any) -> Any:
        return cls.model_fields[info.field_name].default if value is None else value


def _is_tokens(value: Any) -> bool:
    """Tell whether this is what OpenAI also takes: one text as token numbers, or a list of those."""
    first = value[0] if isinstance(value, list) and value else None
    if isinstance(first, list) and first:
        first = first[0]
    return isinstance(first, int) and not isinstance(first, bool)


HINTS = {
    "model": "Name the model that GET /v1/models lists.",
    "input": f"Send a string or a list of 1 to {MAX_INPUTS} strings, none empty, each of at most {MAX_CHARACTERS}"
    " characters; token numbers belong to one tokenizer, so send the text itself.",
    "input_type": "Use query for a search text, passage or document (the default) for what is searched.",
    "encoding_format": "Use float (the default) or base64.",
    "dimensions": "Leave it out for the model's own length; only models trained for it can be cut.",
    "user": "Send a string or leave it out.",
}
CODES = {"extra_forbidden": "unknown_field", "missing": "missing_field", "token_input": "token_input_not_supported"}
FIELDS = f"The fields are {', '.join(HINTS)}."


def parse_request(body: bytes) -> EmbeddingRequest:
    """Read a request's body, or raise the 400 that explains it."""
    try:
        return EmbeddingRequest.model_validate_json(body)
    except ValidationError as error:
        raise _refusal(error) from None


def _refusal(error: ValidationError) -> ApiError:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = [str(part) for part in first["loc"]]
    if not where:
        return ApiError(400, "invalid_json", f"The body is not a JSON object: {first['msg']}.", FIELDS)
    param = where[0] + "".join(f"[{part}]" for part in where[1:] if part.isdigit())
    code = CODES.get(first["type"], "invalid_value")
    return ApiError(400, code, f"{param}: {first['msg']}.", HINTS.get(where[0], FIELDS), param=param)
