"""The option that writes the golden files anew."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --update-golden; it counts when this folder is named on the command line."""
    parser.addoption("--update-golden", action="store_true", help="write the rendered files instead of comparing them")
