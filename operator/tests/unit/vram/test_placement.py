"""What a number of GPU layers means: it changed once, and the build says which meaning holds."""

import pytest
from coderag_operator.vram.builds import MID, NEW, OLD, BuildRule, rule_of
from coderag_operator.vram.placement import place
from hypothesis import given
from hypothesis import strategies as st

RULES = st.sampled_from([OLD, MID, NEW])


@pytest.mark.parametrize(
    ("build", "rule"),
    [(None, NEW), (11434, NEW), (9489, NEW), (9488, MID), (7600, MID), (7599, OLD), (4000, OLD)],
)
def test_a_build_has_the_rule_of_its_time(build: int | None, rule: BuildRule) -> None:
    assert rule_of(build) == rule


@pytest.mark.parametrize(
    ("rule", "gpu_layers", "blocks", "output"),
    [
        (OLD, 0, range(28, 28), False),
        (OLD, 1, range(27, 28), False),
        (OLD, 20, range(8, 28), False),
        (OLD, 28, range(28), False),
        (OLD, 29, range(28), True),
        (MID, 0, range(28, 28), False),
        (MID, 1, range(28, 28), True),
        (MID, 20, range(9, 28), True),
        (NEW, 28, range(1, 28), True),
        (NEW, 29, range(28), True),
    ],
)
def test_layers_go_where_the_build_puts_them(rule: BuildRule, gpu_layers: int, blocks: range, output: bool) -> None:
    placement = place(28, gpu_layers, rule)
    assert (placement.on_device, placement.output) == (blocks, output)


@given(rule=RULES, layers=st.integers(1, 128), data=st.data())
def test_every_block_is_in_one_place(rule: BuildRule, layers: int, data: st.DataObject) -> None:
    gpu_layers = data.draw(st.integers(0, layers + 1))
    placement = place(layers, gpu_layers, rule)
    assert [*placement.on_host, *placement.on_device] == list(range(layers))
    assert len(placement.on_device) + placement.output == gpu_layers


@pytest.mark.parametrize("gpu_layers", [-1, 30])
def test_a_number_that_no_server_takes_is_refused(gpu_layers: int) -> None:
    with pytest.raises(ValueError, match=f"gpu_layers is {gpu_layers}, not 0 to 29"):
        place(28, gpu_layers, NEW)
