"""A geometry survives its JSON form, which is small, and a broken form names its field."""

import json
from dataclasses import replace

import pytest
from coderag_model.geometry import MAX_LAYERS, MAX_NUMBER, Geometry
from geometries import geometry
from hypothesis import given, settings
from hypothesis import strategies as st

sizes = st.integers(0, MAX_NUMBER)


@st.composite
def geometries(draw) -> Geometry:
    layers = draw(st.integers(1, 130))
    per_layer = {
        name: tuple(draw(st.lists(sizes, min_size=layers, max_size=layers)))
        for name in ("head_count_kv", "block_bytes", "largest_matrix_bytes")
    }
    sliding = tuple(draw(st.lists(st.booleans(), min_size=layers, max_size=layers)))
    return replace(
        geometry(), layers=layers, sliding_layers=sliding, tied=draw(st.booleans()), vocabulary=draw(sizes), **per_layer
    )


@settings(max_examples=50, deadline=None)
@given(geometries())
def test_a_geometry_survives_its_json(found):
    assert Geometry.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_eighty_layers_of_a_mixed_quantisation_stay_below_3_kib():
    few, many = 471_859_200, 521_011_200
    blocks = tuple(many if number < 10 or number >= 70 or number % 3 == 2 else few for number in range(80))
    windows = tuple(number % 2 == 0 for number in range(80))
    found = geometry(layers=80, block_bytes=blocks, largest_matrix_bytes=blocks, sliding_layers=windows)
    assert len(json.dumps(found.to_json())) < 3072


def test_126_layers_that_all_differ_stay_below_a_termination_message():
    blocks = tuple(1_700_000_000 + number for number in range(126))
    found = geometry(layers=126, block_bytes=blocks, largest_matrix_bytes=blocks)
    assert len(json.dumps(found.to_json(), separators=(",", ":"))) < 3200


def test_a_run_says_how_often_its_value_comes_again():
    found = geometry(layers=6, block_bytes=(1, 2, 2, 2, 2, 3))
    assert found.to_json()["blockBytes"] == [1, 2, -3, 3]
    assert found.to_json()["headCountKv"] == [2, -5]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("architecture", None),
        ("architecture", ""),
        ("layers", 0),
        ("layers", MAX_LAYERS + 1),
        ("layers", True),
        ("layers", "2"),
        ("vocabulary", -1),
        ("vocabulary", 2**53),
        ("vocabulary", 1.5),
        ("tied", 1),
        ("headCountKv", None),
        ("headCountKv", [2]),
        ("headCountKv", [2, 3, 2]),
        ("headCountKv", [2, -2]),
        ("headCountKv", [2, -(10**12)]),
        ("headCountKv", [-1, 2]),
        ("headCountKv", [2, -1, -1]),
        ("headCountKv", [2, 2**53]),
        ("blockBytes", [1, 1.5]),
        ("slidingLayers", [2, -1]),
        ("slidingLayers", [True, 0]),
    ],
)
def test_a_broken_form_names_its_field(field, value):
    with pytest.raises(ValueError, match=field):
        Geometry.from_json(geometry().to_json() | {field: value})


def test_what_is_no_object_is_no_geometry():
    with pytest.raises(ValueError, match="object"):
        Geometry.from_json([])
