"""What every test may ask for; the fixtures live in `tests/plugins`."""

import importlib.util

_PLUGINS = ("kafka", "postgres", "database", "chromium")

pytest_plugins = [
    f"tests.plugins.{name}" for name in _PLUGINS if importlib.util.find_spec(f"tests.plugins.{name}") is not None
]
