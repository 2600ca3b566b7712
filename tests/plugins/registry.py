"""The session's schema registry, and the one way by which tests register schemas: the product has none."""

import json
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

from inflect.embedded.registry import RegistryServer

Register = Callable[..., int]


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    """A running registry for the session. A test that stops or kills it starts it again."""
    with RegistryServer(tmp_path_factory.mktemp("registry"), port=None) as server:
        yield server


@pytest.fixture
def register(registry: RegistryServer) -> Register:
    """Register a version: `register("orders-value", text, "AVRO", [(name, subject, version)])`; its id."""

    def add(subject: str, text: str, kind: str = "AVRO", references: Sequence[tuple[str, str, int]] = ()) -> int:
        return register_at(registry.url, subject, text, kind, references)

    return add


def register_at(
    url: str, subject: str, text: str, kind: str = "AVRO", references: Sequence[tuple[str, str, int]] = ()
) -> int:
    """Register a version at the registry at `url`; its id."""
    named = [{"name": name, "subject": of, "version": version} for name, of, version in references]
    body = json.dumps({"schema": text, "schemaType": kind, "references": named}).encode()
    request = Request(  # noqa: S310  the test's own server
        f"{url}/subjects/{quote(subject, safe='')}/versions",
        data=body,
        headers={"Content-Type": "application/vnd.schemaregistry.v1+json"},
    )
    with urlopen(request, timeout=20) as answer:  # noqa: S310  the test's own server
        return int(json.load(answer)["id"])
