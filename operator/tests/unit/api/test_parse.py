"""From the object that the API server holds to a Stack, or to everything that is wrong with it."""

from contextlib import suppress
from decimal import Decimal

import pytest
from coderag_operator.api import InvalidSpec, StackSpec, amount, parse, seconds
from hypothesis import given
from hypothesis import strategies as st
from tests.invalid_specs import INVALID, INVALID_NAMES, Invalid
from tests.specs import BASE, make_body, make_stack, merge, nest


@pytest.mark.parametrize("case", [case for case in INVALID if not case.update], ids=lambda case: case.name)
def test_an_invalid_spec_is_refused_with_its_field_and_a_remedy(case: Invalid):
    with pytest.raises(InvalidSpec) as caught:
        parse(make_body(merge(BASE, case.patch)))
    assert case.field in {violation.field for violation in caught.value.violations}
    assert [word for word in (*case.words, *case.operator) if word not in str(caught.value)] == []
    assert all(violation.remedy for violation in caught.value.violations)


@pytest.mark.parametrize("case", [case for case in INVALID if case.update], ids=lambda case: case.name)
def test_what_only_an_update_can_violate_is_valid_by_itself(case: Invalid):
    parse(make_body(merge(BASE, case.patch)))


@pytest.mark.parametrize("name", INVALID_NAMES)
def test_a_name_that_does_not_fit_is_refused(name: str):
    with pytest.raises(InvalidSpec, match=r"metadata\.name: the name of a stack must"):
        parse(make_body(BASE, name))


def test_everything_that_is_wrong_is_said_at_once():
    with pytest.raises(InvalidSpec) as caught:
        parse(make_body(merge(BASE, {"sharing": 1, "gpu": {"x": 1}, "rag": {"replicas": 99}}), "Bad"))
    fields = {violation.field for violation in caught.value.violations}
    assert fields == {"metadata.name", "spec.sharing", "spec.gpu.x", "spec.rag.replicas"}


def test_a_value_is_never_repeated_in_a_message():
    with pytest.raises(InvalidSpec) as caught:
        parse(make_body(merge(BASE, nest("gateway.timeouts.request", "my-secret"))))
    assert "my-secret" not in str(caught.value)


def test_an_object_without_a_spec_is_invalid_and_does_not_crash():
    body = make_body(None)
    with pytest.raises(InvalidSpec, match=r"spec\.models"):
        parse(body)


def test_a_stack_carries_what_identifies_it():
    stack = make_stack()
    assert (stack.name, stack.namespace, stack.uid, stack.generation) == ("demo", "team", "stack-uid", 1)


def test_an_object_that_was_never_stored_has_generation_zero():
    body = make_body(BASE)
    del body["metadata"]["generation"]
    assert parse(body).generation == 0


def test_a_spec_cannot_be_changed_after_it_was_read():
    with pytest.raises(ValueError, match="frozen"):
        make_stack().spec.suspend = True  # type: ignore[misc]


def test_numbers_and_texts_of_quantities_mean_the_same():
    two = [make_stack(nest("rag.resources.limits.cpu", value)).spec.rag for value in (2, "2", 2.0)]
    assert [rag.resources.limits.cpu for rag in two] == ["2", "2", "2.0"]


@pytest.mark.parametrize(("text", "value"), [("90s", 90), ("2m", 120), ("1h", 3600), ("0s", 0)])
def test_durations_in_seconds(text: str, value: int):
    assert seconds(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("500m", "0.5"), ("2", "2"), ("1.5", "1.5"), ("1Ki", "1024"), ("1k", "1000"), ("2Gi", str(2**31))],
)
def test_quantities_as_numbers(text: str, value: str):
    assert amount(text) == Decimal(value)


def test_a_text_that_is_no_quantity_has_no_amount():
    with pytest.raises(ValueError, match="no quantity"):
        amount("lots")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*StackSpec.model_fields, "x"]), inner),
    max_leaves=12,
)


@given(JSON)
def test_no_spec_makes_parsing_crash(spec: object):
    with suppress(InvalidSpec):
        parse(make_body(spec))
