"""Storage sizes compare as Kubernetes compares them."""

import pytest
from coderag_operator.observed.quantity import parse_quantity


@pytest.mark.parametrize(("smaller", "larger"), [("1Gi", "1.5Gi"), ("1G", "1Gi"), ("500m", "1"), ("999Mi", "1Gi")])
def test_sizes_are_ordered(smaller: str, larger: str) -> None:
    assert parse_quantity(smaller) < parse_quantity(larger)


@pytest.mark.parametrize("text", ["", "Gi", "1XB", "-1"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no quantity"):
        parse_quantity(text)
