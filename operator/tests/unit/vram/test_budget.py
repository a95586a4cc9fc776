"""The budget: each source gives a number and says where it comes from; none gives more than there is."""

import pytest
from coderag_operator.vram.budget import (
    DRIVER_WSL_MIB,
    Budget,
    budget_of,
    explicit,
    labelled,
    measured,
    on_mig,
    under_hami,
    under_mps,
)
from coderag_operator.vram.wish import Limits
from hypothesis import given
from hypothesis import strategies as st

MEMORY = st.integers(0, 300_000)


def test_the_users_number_comes_before_a_measurement_and_that_before_a_label() -> None:
    assert budget_of(5600, 5580, 6141) == explicit(5600) == Budget(5600, None, "5600 MiB in spec.gpu.budgetMiB")
    assert budget_of(None, 5580, 6141) == measured(5580)
    assert budget_of(None, None, 6141) == labelled(6141)
    assert budget_of(None, None, None) is None


def test_a_measurement_loses_a_margin() -> None:
    assert measured(5580) == Budget(5324, None, "5580 MiB measured free, less a margin of 256")
    assert measured(24077).mib == 24077 - 963


def test_a_label_loses_what_the_driver_keeps_and_a_margin() -> None:
    found = labelled(8188)
    assert (found.mib, found.per_server_mib) == (8188 - 512 - 307, None)
    assert found.source == (
        "8188 MiB in the node's label nvidia.com/gpu.memory, less 512 for the driver and a margin of 307"
    )
    assert labelled(6141, DRIVER_WSL_MIB).mib == 6141 - 1100 - 256


@pytest.mark.parametrize(("label", "free"), [(8188, 7627), (24564, 24077), (6141, 5580)])
def test_a_label_never_gives_more_than_cards_of_this_size_had_free(label: int, free: int) -> None:
    assert labelled(label).mib < free


def test_mps_gives_each_server_its_part_of_the_whole_device() -> None:
    found = under_mps(labelled(6141), 6141, 2)
    assert found.limits == Limits(5373, 3070)
    assert found.source.endswith("; MPS gives each server 3070 MiB (1 of 2 parts)")
    assert under_mps(explicit(2000), 6141, 2).per_server_mib == 2000


def test_hami_holds_each_server_to_its_limit() -> None:
    found = under_hami(explicit(5600), 2600)
    assert found.limits == Limits(5600, 2600)
    assert "HAMi holds each server to 2600 MiB" in found.source


def test_a_mig_slice_is_shared_or_each_server_has_one() -> None:
    assert on_mig(9728, 1).limits == Limits(9339, None)
    assert on_mig(9728, 2).limits == Limits(18678, 9339)
    assert on_mig(9728, 2).source == "2 slices, for each server a MIG slice of 9728 MiB, less a margin of 389"


def test_parts_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="replicas"):
        under_mps(explicit(1), 1, 0)
    with pytest.raises(ValueError, match="slices"):
        on_mig(1, 0)


@given(MEMORY, MEMORY, st.integers(1, 10))
def test_no_source_gives_more_than_there_is_or_less_than_nothing(free: int, label: int, parts: int) -> None:
    for found, most in (
        (measured(free), free),
        (labelled(label), label),
        (under_mps(labelled(label), label, parts), label),
        (under_hami(measured(free), label), free),
        (on_mig(label, parts), label * parts),
    ):
        assert 0 <= (found.per_server_mib or 0) <= max(found.mib, found.per_server_mib or 0)
        assert 0 <= found.mib <= most
