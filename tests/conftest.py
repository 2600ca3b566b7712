"""What every test may ask for; the fixtures live in `tests/plugins`."""

import importlib.util

import pytest

_PLUGINS = ("kafka", "postgres", "registry", "database", "chromium")

pytest_plugins = [
    f"tests.plugins.{name}" for name in _PLUGINS if importlib.util.find_spec(f"tests.plugins.{name}") is not None
]


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark that ties a test to the catalogue of faults (`tests/faults/catalogue.py`)."""
    config.addinivalue_line("markers", "row(*ids): rows of the catalogue of faults that this test proves")
