"""Facts survive the way through a ConfigMap; what cannot be read is forgotten, never fatal."""

import json

import pytest
from coderag_operator.observed.facts import Facts, Failed, Fetched, read_facts, write_facts
from hypothesis import given, settings
from hypothesis import strategies as st

TEXT = st.text(max_size=20)
COUNT = st.integers(0, 10**9)
DIGEST = st.text("0123456789abcdef", min_size=8, max_size=8)
FETCHED = st.builds(Fetched, TEXT, COUNT, st.dictionaries(TEXT, COUNT, max_size=3))
FAILED = st.builds(Failed, COUNT, st.text(min_size=1, max_size=9), TEXT, st.booleans(), TEXT, COUNT)


@settings(max_examples=40)
@given(st.builds(Facts, st.dictionaries(DIGEST, FETCHED), st.dictionaries(DIGEST, FAILED), TEXT))
def test_facts_survive_the_way_through_the_configmap(facts: Facts) -> None:
    assert read_facts(write_facts(facts)) == facts


@given(
    st.dictionaries(
        st.sampled_from(["model.a", "fetch.a", "keys", "other"]), st.text() | st.just("[1]") | st.just("{}")
    )
)
def test_whatever_somebody_wrote_into_the_configmap_can_be_read(values: dict[str, str]) -> None:
    assert isinstance(read_facts(values), Facts)


@pytest.mark.parametrize("header", ["text", 1, None, []])
def test_a_header_that_is_none_counts_as_unknown(header: object) -> None:
    entry = json.dumps({"claimUid": 5, "sizeBytes": "big", "header": header})
    assert read_facts({"model.a": entry}).models == {"a": Fetched("", 0, {})}


def test_a_failure_without_a_reason_is_unknown() -> None:
    entry = json.dumps({"attempts": True, "final": "yes"})
    assert read_facts({"fetch.a": entry}).fetches == {"a": Failed(0, "Unknown", "", False, "", 0)}
