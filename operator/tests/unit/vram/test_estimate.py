"""The estimate term by term: the study's table for three builds, what stays on the host, and that more takes more."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from coderag_model.geometry import Geometry
from coderag_operator.vram.builds import MID, NEW, OLD, BuildRule
from coderag_operator.vram.compute import graph_bytes
from coderag_operator.vram.estimate import Estimate, Shape, estimate
from hypothesis import given
from hypothesis import strategies as st
from tests.support.published_models import CHAT_3B, CODE_7B
from tests.support.small_models import MIB, RULES, geometries

FULL = 999
CODE = Shape(gpu_layers=29, context_tokens=4096, slots=1, kv_type="f16", ubatch=512)
DOCS = (Path(__file__).parents[4] / "docs" / "vram.md").read_text()


def found(geometry: Geometry, rule: BuildRule = NEW, shape: Shape = CODE, overhead: float = 160, **change: object):
    wanted = replace(shape, **change)
    return estimate(geometry, replace(wanted, gpu_layers=min(wanted.gpu_layers, geometry.layers + 1)), rule, overhead)


def device(estimated: Estimate) -> Mapping[str, float]:
    return {term.name: term.mib for term in estimated.device}


def host(estimated: Estimate) -> Mapping[str, float]:
    return {term.name: term.mib for term in estimated.host}


@pytest.mark.parametrize(
    ("scenario", "totals"),
    [
        ([(CODE_7B, FULL), (CODE_7B, FULL)], {OLD: 9712, MID: 9712, NEW: 9390}),
        ([(CHAT_3B, FULL), (CODE_7B, FULL)], {OLD: 7296, MID: 7296, NEW: 6918}),
        ([(CHAT_3B, FULL), (CODE_7B, 20)], {OLD: 6163, MID: 6066, NEW: 5688}),
        ([(CHAT_3B, FULL)], {OLD: 2440, MID: 2440, NEW: 2223}),
        ([(CODE_7B, FULL)], {OLD: 4856, MID: 4856, NEW: 4695}),
    ],
)
def test_the_scenarios_of_the_study_come_out_for_three_builds(
    scenario: list[tuple[Geometry, int]], totals: dict[BuildRule, int]
) -> None:
    for rule, total in totals.items():
        sums = [found(geometry, rule, gpu_layers=layers).total_mib for geometry, layers in scenario]
        assert round(sum(sums)) == total


@pytest.mark.parametrize(
    ("geometry", "rule", "change", "compute"),
    [
        (CHAT_3B, OLD, {"gpu_layers": FULL}, 300.75),  # logged by CUDA builds of that time, all three
        (CODE_7B, OLD, {"gpu_layers": FULL}, 304.00),
        (CODE_7B, OLD, {"gpu_layers": 20}, 730.36),
        (CHAT_3B, NEW, {"gpu_layers": FULL, "context_tokens": 8192}, 88.51),  # build 11434, a device on paper from here
        (CODE_7B, NEW, {"gpu_layers": FULL, "context_tokens": 1024, "slots": 4}, 140.01),
        (CHAT_3B, NEW, {"gpu_layers": FULL, "context_tokens": 32768, "kv_type": "q8_0"}, 112.59),
    ],
)
def test_the_compute_buffer_is_what_devices_reserved(
    geometry: Geometry, rule: BuildRule, change: dict[str, object], compute: float
) -> None:
    assert device(found(geometry, rule, **change))["compute"] == pytest.approx(compute, abs=0.02)


@pytest.mark.parametrize(
    ("geometry", "change", "reserved"),
    [
        (CHAT_3B, {"gpu_layers": 20}, 102.60),
        (CODE_7B, {"gpu_layers": 20}, 196.32),
        (CODE_7B, {"gpu_layers": 10, "kv_type": "q8_0"}, 189.43),
        (CODE_7B, {"gpu_layers": 10, "context_tokens": 16384, "slots": 2, "kv_type": "q8_0"}, 232.43),
        (CODE_7B, {"gpu_layers": 10, "context_tokens": 16384, "slots": 2, "ubatch": 128}, 108.75),
        (CHAT_3B, {"gpu_layers": FULL, "context_tokens": 8192, "slots": 4, "ubatch": 128, "kv_type": "q8_0"}, 39.08),
    ],
)
def test_what_is_copied_to_the_device_is_planned_with_room_to_spare(
    geometry: Geometry, change: dict[str, object], reserved: float
) -> None:
    planned = device(found(geometry, **change))["compute"]
    assert reserved * 0.99 <= planned <= reserved * 1.25 + 16


def test_older_builds_keep_the_f16_copy_of_a_quantised_cache_outside_of_their_buffers() -> None:
    plain, quantised = (device(found(CODE_7B, MID, kv_type=kv_type)) for kv_type in ("f16", "q8_0"))
    assert quantised["overhead"] - plain["overhead"] == 4096 * 4 * 256 * 2 / MIB
    assert quantised["compute"] == plain["compute"]
    assert device(found(CODE_7B, NEW, kv_type="q8_0"))["overhead"] == 160


def test_everything_is_somewhere() -> None:
    for gpu_layers in range(30):
        for rule in (OLD, MID, NEW):
            both = found(CODE_7B, rule, gpu_layers=gpu_layers)
            assert device(both)["weights"] + host(both)["weights"] == pytest.approx(
                (sum(CODE_7B.block_bytes) + CODE_7B.output_bytes) / MIB
            )
            assert device(both)["kv"] + host(both)["kv"] == 224


def test_a_tied_output_in_host_memory_is_the_embeddings_themselves() -> None:
    assert host(found(CHAT_3B, OLD, gpu_layers=36))["weights"] == 0
    assert host(found(CHAT_3B, OLD, gpu_layers=36))["embeddings"] == CHAT_3B.input_bytes / MIB


def test_host_memory_has_the_answers_the_inputs_and_the_prompt_cache() -> None:
    terms = host(found(CHAT_3B, context_tokens=1024, slots=4))
    assert terms["output"] == pytest.approx(2.32, abs=0.005)  # build 11434
    assert terms["inputs"] == pytest.approx(17.02, abs=0.02)  # build 11434, beside a device on paper
    assert (terms["prompt-cache"], terms["checkpoints"]) == (512, 0)


def test_layers_with_a_window_keep_no_more_than_that_and_copies_of_it_on_the_host() -> None:
    windowed = replace(CODE_7B, sliding_window=1024, sliding_layers=(True, False) * 14)
    cells = {True: 1536, False: 4096}  # the window and one batch, in steps of 256
    assert device(found(windowed))["kv"] == 14 * sum(cells.values()) * 4 * 256 * 2 / MIB
    assert host(found(windowed, slots=2))["checkpoints"] == 4 * 2 * 1024 * 14 * 4 * 256 * 2 / MIB
    short = found(windowed, context_tokens=512)
    assert device(short)["kv"] == device(found(CODE_7B, context_tokens=512))["kv"]


def test_a_batch_is_no_larger_than_the_cache_and_the_same_for_each_slot() -> None:
    assert device(found(CODE_7B, context_tokens=256, ubatch=1024)) == device(
        found(CODE_7B, context_tokens=256, ubatch=256)
    )
    uneven, even = (device(found(CODE_7B, slots=7, ubatch=ubatch)) for ubatch in (512, 518))
    assert uneven == even


def test_heads_that_no_rotation_fits_are_not_rotated() -> None:
    odd = replace(CODE_7B, key_length=80, value_length=80)
    whole = replace(CODE_7B, key_length=128, value_length=128)
    for geometry, rotations in ((odd, 0), (whole, 4 * (128**2 + 64**2) / MIB)):
        plain, rotated = (device(found(geometry, kv_type=kv_type))["compute"] for kv_type in ("f16", "q8_0"))
        assert rotated - plain == pytest.approx(rotations)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"context_tokens": 0}, "context_tokens is 0, not at least 1"),
        ({"slots": 0}, "slots is 0, not at least 1"),
        ({"ubatch": -1}, "ubatch is -1, not at least 1"),
        ({"kv_type": "q4_0"}, "kv_type is 'q4_0', not one of f16, q8_0"),
        ({"gpu_layers": -2}, "gpu_layers is -2, not 0 to 29"),
    ],
)
def test_a_shape_that_cannot_be_is_refused_by_its_field(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        found(CODE_7B, **change)


def test_every_term_says_where_it_is_explained() -> None:
    both = found(CODE_7B, MID, gpu_layers=20, kv_type="q8_0")
    for term in (*both.device, *both.host):
        page, _, anchor = term.formula.partition("#")
        assert page == "docs/vram.md"
        assert f'<a id="{anchor}"></a>' in DOCS


SHAPES = st.builds(
    Shape,
    gpu_layers=st.just(0),
    context_tokens=st.integers(1, 40_000),
    slots=st.integers(1, 8),
    kv_type=st.sampled_from(["f16", "q8_0"]),
    ubatch=st.sampled_from([128, 256, 512, 1024]),
)


@given(geometry=geometries(), shape=SHAPES, rule=RULES, data=st.data())
def test_more_of_anything_never_takes_less(
    geometry: Geometry, shape: Shape, rule: BuildRule, data: st.DataObject
) -> None:
    shape = replace(shape, gpu_layers=data.draw(st.integers(1, geometry.layers)))
    field = data.draw(st.sampled_from(["context_tokens", "slots", "ubatch"]))
    more = replace(shape, **{field: getattr(shape, field) * 2})
    assert estimate(geometry, more, rule, 0).total_mib >= estimate(geometry, shape, rule, 0).total_mib


@given(geometry=geometries(), shape=SHAPES, rule=RULES)
def test_one_more_layer_never_takes_less_of_the_device_nor_more_of_the_host(
    geometry: Geometry, shape: Shape, rule: BuildRule
) -> None:
    found = [estimate(geometry, replace(shape, gpu_layers=number), rule, 0) for number in range(geometry.layers + 2)]
    for fewer, more in pairwise(found):
        assert more.total_mib >= fewer.total_mib - 1e-9
        assert device(more)["weights"] >= device(fewer)["weights"]
        assert host(more)["kv"] <= host(fewer)["kv"]


def test_a_cache_of_gigabytes_is_planned_as_if_layers_were_on_the_host_still() -> None:
    huge = {"context_tokens": 131072, "slots": 8}
    partly, fully = (device(found(CHAT_3B, gpu_layers=layers, **huge)) for layers in (36, 37))
    assert sum(fully.values()) == sum(partly.values())
    assert fully["compute"] > graph_bytes(CHAT_3B, replace(CODE, **huge), NEW) / MIB
