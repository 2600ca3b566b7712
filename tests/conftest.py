"""What every test may ask for; the fixtures live in `tests/plugins`."""

import importlib.util
import signal

import pytest

_PLUGINS = ("kafka", "postgres", "registry", "database", "chromium")

pytest_plugins = [
    f"tests.plugins.{name}" for name in _PLUGINS if importlib.util.find_spec(f"tests.plugins.{name}") is not None
]


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark that ties a test to the catalogue of faults (`tests/faults/catalogue.py`)."""
    config.addinivalue_line("markers", "row(*ids): rows of the catalogue of faults that this test proves")


# Children inherit what a runner ignores (`nohup`, a shell's background): here signals mean what a terminal means.
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
