"""The wheels behind the embedded servers. They are an extra, because production brings its own servers."""

import importlib
from types import ModuleType

from inflect.errors import InflectError


def wheel(name: str) -> ModuleType:
    """The package `name`, or an InflectError that says how to install it."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise missing(name) from error


def missing(name: str) -> InflectError:
    """What to tell a user who asks for embedded servers without their wheels."""
    return InflectError(
        f"the embedded servers are not installed ({name} is missing): pip install 'inflect[embedded]', or name "
        "running servers in INFLECT_DATABASE_URL and INFLECT_KAFKA_BOOTSTRAP_SERVERS"
    )
