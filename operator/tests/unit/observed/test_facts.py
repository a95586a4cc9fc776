"""Facts survive the way through a ConfigMap; what cannot be read is forgotten, never fatal."""

import json

import pytest
from coderag_operator.observed.facts import Facts, Failed, Fetched, read_facts, write_facts
from coderag_operator.observed.serverlog import Buffers
from coderag_operator.observed.vram import Measured, Measurement, Reading, Shortfall
from coderag_operator.vram.terms import Shape
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.small_models import geometries

TEXT = st.text(max_size=20)
COUNT = st.integers(0, 10**9)
DIGEST = st.text("0123456789abcdef", min_size=8, max_size=8)
FETCHED = st.builds(Fetched, TEXT, COUNT, st.dictionaries(TEXT, COUNT, max_size=3))
FAILED = st.builds(Failed, COUNT, st.text(min_size=1, max_size=9), TEXT, st.booleans(), TEXT, COUNT)
MIB = st.integers(0, 10**7).map(lambda hundredths: hundredths / 100)
LAYERS = st.integers(0, 200)
BUFFERS = st.builds(Buffers, MIB, MIB, MIB, MIB, LAYERS, LAYERS)
ROLE = st.sampled_from(["chat", "code"])
READING = st.builds(Reading, geometries()) | st.builds(Reading, st.none(), st.text(min_size=1, max_size=20))
SHAPE = st.builds(Shape, LAYERS, st.integers(1, 10**6), LAYERS.map(lambda n: n + 1), st.just("q8_0"), st.just(256))
SHORTFALL = st.builds(Shortfall, TEXT, COUNT, COUNT, TEXT, st.lists(TEXT, max_size=3).map(tuple))


@settings(max_examples=40)
@given(
    st.builds(
        Facts,
        st.dictionaries(DIGEST, FETCHED),
        st.dictionaries(DIGEST, FAILED),
        TEXT,
        geometries=st.dictionaries(DIGEST, READING, max_size=2),
        shapes=st.dictionaries(ROLE, SHAPE),
        measured=st.dictionaries(ROLE, st.builds(Measured, TEXT, st.none() | BUFFERS)),
        shortfalls=st.dictionaries(ROLE, SHORTFALL),
        gpus=st.dictionaries(DIGEST, st.builds(Measurement, TEXT, TEXT, COUNT, TEXT)),
    )
)
def test_facts_survive_the_way_through_the_configmap(facts: Facts) -> None:
    assert read_facts(write_facts(facts)) == facts


@given(
    st.dictionaries(
        st.sampled_from(
            ["model.a", "fetch.a", "keys", "other", "geometry.a", "shape.chat", "measured.chat", "shortfall.chat"]
        ),
        st.text()
        | st.just("[1]")
        | st.just("{}")
        | st.just('{"geometry": 5, "buffers": [], "seen": 1, "kv_type": "f16"}'),
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


@pytest.mark.parametrize("change", [{"kv_type": "q2"}, {"slots": 0}, {"context_tokens": True}, {"gpu_layers": -1}])
def test_a_shape_that_no_server_can_have_is_forgotten(change: dict[str, object]) -> None:
    entry = {"gpu_layers": 20, "context_tokens": 4096, "slots": 2, "kv_type": "f16", "ubatch": 512}
    assert read_facts({"shape.chat": json.dumps(entry)}).shapes == {"chat": Shape(20, 4096, 2, "f16", 512)}
    assert read_facts({"shape.chat": json.dumps(entry | change)}).shapes == {}


def test_a_size_that_is_no_number_counts_as_nothing() -> None:
    entry = json.dumps({"podUid": "one", "buffers": {"weights": "big", "kv": True, "compute": 5}})
    assert read_facts({"measured.chat": entry}).measured == {"chat": Measured("one", Buffers(compute=5.0))}
