"""The sample pipeline with schemas: Avro in, JSON held against a schema out. It comes when the registry does.

The schemas are registered here, as a team's own build would do it: Inflect itself only reads from a registry.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.error import URLError
from urllib.request import Request, urlopen

from inflect import logs
from inflect.control.apply import apply
from inflect.control.schemas import SchemaSources
from inflect.engine.codec import Codec
from inflect.errors import InflectError, UnreachableError
from inflect.kafka.admin import Admin, NewTopicSpec
from inflect.model.document import read_documents
from inflect.model.schema import PinnedSchema
from inflect.schemas.registry import Registry
from inflect.settings import RegistryAccess, Settings
from inflect.store.database import Database

HERE: Final = Path(__file__).resolve().parent / "registry"
PIPELINE: Final = HERE / "late-shipments.yaml"
SUBJECT: Final = "shipments-value"
SCHEMAS: Final = ((SUBJECT, "shipment.avsc", "AVRO"), ("late-shipments-value", "late-shipment.json", "JSON"))
TOPIC: Final = "shipments"
PARTITIONS: Final = 4
LOOK_S: Final = 2.0
_CUT_OFF_EVERY = 500
_TIMEOUT_S = 10

Encode = Callable[[Sequence[bytes]], list[bytes]]
"""Takes values as JSON, returns them as they go into the topic."""

_log = logs.get("demo")


class Shipments:
    """Waits for the registry, then registers, applies and encodes; a context manager that holds the codec."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._access = settings.registry()
        self._look_at = 0.0
        self._codec: Codec | None = None
        self._prefix = b""
        self._made = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._codec is not None:
            self._codec.close()

    def have_come(self, now: float) -> bool:
        """Return True once: when the registry is there and the pipeline has been applied. Looks now and then only."""
        if self._access is None or self._codec is not None or now < self._look_at:
            return False
        self._look_at = now + LOOK_S
        try:
            pin = prepare_shipments(self._settings, self._access)
        except UnreachableError as error:
            _log.debug("not all servers are there yet", why=str(error))
            return False
        self._codec, self._prefix = Codec(pin.schema), b"\0" + (pin.id or 0).to_bytes(4, "big")
        return True

    def encode(self, values: Sequence[bytes]) -> list[bytes]:
        """Write values with the schema and its id; now and then one is cut off, as by a carrier's broken line."""
        if self._codec is None:
            raise InflectError("the schema of shipments is not known yet")
        written = []
        for value in self._codec.encode([value.decode() for value in values]):
            if not isinstance(value, bytes):
                raise InflectError(f"a sample does not fit its own schema: {value.message}")
            self._made += 1
            written.append(self._prefix + (value[:9] if self._made % _CUT_OFF_EVERY == 0 else value))
        return written


def prepare_shipments(settings: Settings, access: RegistryAccess) -> PinnedSchema:
    """Register the schemas, create the topic, apply the pipeline; what shipments are written with. May run again.

    UnreachableError when a server is away, RefusedError when the sample is not as it should be.
    """
    with Registry(access) as registry:
        registry.check()
        for subject, file, kind in SCHEMAS:
            register(access.url, subject, (HERE / file).read_text(encoding="utf-8"), kind)
        with Database(settings.database_url) as db, Admin(settings.kafka) as admin:
            admin.create_topics([NewTopicSpec(TOPIC, PARTITIONS)])
            documents = read_documents(PIPELINE.read_text(encoding="utf-8"), PIPELINE.name)
            apply(
                db, admin, documents, author="demo", origin="cli", schemas=SchemaSources(registry), comment="the sample"
            )
        return registry.version(SUBJECT, "latest")


def register(url: str, subject: str, text: str, kind: str) -> None:
    """Register a schema at the demo's own registry; the same text again changes nothing."""
    request = Request(  # noqa: S310  the demo's own registry
        f"{url}/subjects/{subject}/versions",
        data=json.dumps({"schema": text, "schemaType": kind}).encode(),
        headers={"Content-Type": "application/vnd.schemaregistry.v1+json"},
    )
    try:
        with urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310  the demo's own registry
            return
    except (URLError, TimeoutError) as error:
        raise UnreachableError(f"the registry at {url} does not take the schema of {subject}: {error}") from error
