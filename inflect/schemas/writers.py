"""The schemas that events name by their ids: asked for once, kept in memory and on disk.

An id means one schema for ever, so what is known needs no registry: workers start and run while it is away. What is not
known is never guessed: an id is unknown only when a registry says so that still knows the ids it once gave; otherwise
the answer is "not now", and the event waits. Nothing here decides what happens to an event.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Final, Self

from inflect import logs
from inflect.errors import CannotRunError, DeniedError, NotFoundError, RefusedError, UnreachableError
from inflect.model.schema import PinnedSchema, Schema
from inflect.schemas.cache import SchemaCache
from inflect.schemas.registry import Registry, RegistryAccess
from inflect.schemas.sameness import mean_the_same

UNKNOWN_S: Final = 30.0
"""How long an id that the registry does not have is not asked for again."""

CHECK_S: Final = 60.0
"""How often a known id in use is held against the registry; one that is away is left alone for as long."""

_CHECK_DEADLINE_S = 1.0
_AWAY_S = 1.0
_MOST_UNKNOWN = 10_000
_POSSIBLE_IDS = range(1, 2**31)  # registries count with a signed int; some do not say 404 to another number
_WITNESSES = 3

_log = logs.get("schemas")


class SchemaAwayError(UnreachableError):
    """Whether an id exists, and what it means, cannot be known now: the events that name it have to wait."""


@dataclass(slots=True)
class _Known:
    schema: Schema
    check_at: float


@dataclass(frozen=True, slots=True)
class _Unknown:
    until: float
    refusal: RefusedError | None


class WriterSchemas:
    """Schemas by wire id; a context manager that holds the connections to the registry. For one thread."""

    def __init__(
        self, access: RegistryAccess | None, cache_dir: Path | None, known: Iterable[PinnedSchema] = ()
    ) -> None:
        """`cache_dir` holds the files of all registries (None: memory only); `known`: what a revision pins."""
        self._registry = Registry(access) if access else None
        self._url = access.url if access else ""
        self._cache = SchemaCache(cache_dir / access.key) if access and cache_dir else SchemaCache(None)
        self._known = {pin.id: _Known(pin.schema, 0.0) for pin in known if pin.id is not None}
        self._unknown: dict[int, _Unknown] = {}
        self._away = ""
        self._away_until = 0.0
        self._no_check_before = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. What is known stays."""
        if self._registry is not None:
            self._registry.close()

    def get(self, schema_id: int) -> Schema | None:
        """Return the schema of this id; None when there is none, or no registry to ask.

        SchemaAwayError: it cannot be known now; RefusedError: it exists and cannot be used (see `Registry.version`);
        CannotRunError: the id has changed its meaning, so no event that names it can be read rightly.
        """
        known = self._known.get(schema_id)
        if known is None:
            if self._registry is None or schema_id not in _POSSIBLE_IDS:
                return None
            return self._find(self._registry, schema_id)
        if self._registry is not None and monotonic() >= max(known.check_at, self._no_check_before):
            self._check(self._registry, schema_id, known)
        return known.schema

    def _find(self, registry: Registry, schema_id: int) -> Schema | None:
        unknown = self._unknown.get(schema_id)
        if unknown is not None and monotonic() < unknown.until:
            if unknown.refusal is not None:
                raise RefusedError(unknown.refusal.subject, unknown.refusal.faults)
            return None
        schema, check_at = self._cache.read(schema_id), 0.0
        if schema is None:
            schema, check_at = self._fetch(registry, schema_id), monotonic() + CHECK_S
        if schema is None:
            return None
        self._known[schema_id] = _Known(schema, check_at)
        return self.get(schema_id)

    def _fetch(self, registry: Registry, schema_id: int) -> Schema | None:
        """Ask the registry for an id nobody here knows, and remember the answer."""
        if monotonic() < self._away_until:
            raise SchemaAwayError(self._away)
        try:
            schema = registry.by_id(schema_id)
        except NotFoundError:
            self._make_sure_of(registry, schema_id)
            self._forget(schema_id, None)
            return None
        except RefusedError as refusal:
            self._forget(schema_id, refusal)
            raise
        except (UnreachableError, DeniedError) as error:
            raise self._stay_away(f"schema id {schema_id} is not known here, and {error}") from error
        self._cache.write(schema_id, schema)
        return schema

    def _make_sure_of(self, registry: Registry, schema_id: int) -> None:
        """Believe a 404 only of a registry that still has an id which it once gave: it may have been emptied."""
        once_given = list(islice(chain(self._known, self._cache.ids()), _WITNESSES))
        for witness in once_given:
            try:
                self._compare(registry, witness)
            except NotFoundError:
                continue
            except (UnreachableError, DeniedError) as error:
                raise self._stay_away(f"schema id {schema_id} is not known here, and {error}") from error
            return
        if once_given:
            raise self._stay_away(
                f"the registry at {self._url} has lost its ids: it has neither {schema_id} nor {once_given[0]}, which "
                "it once gave; bring its content back, or name the right registry in INFLECT_REGISTRY_URL"
            )

    def _check(self, registry: Registry, schema_id: int, known: _Known) -> None:
        """Hold a known id against the registry; one that is away or has lost the id changes nothing."""
        try:
            self._compare(registry, schema_id)
        except (UnreachableError, DeniedError):
            self._no_check_before = monotonic() + CHECK_S
        except NotFoundError as error:
            _log.warning("a schema that is in use is gone from the registry", id=schema_id, why=str(error))
        known.check_at = monotonic() + CHECK_S

    def _compare(self, registry: Registry, schema_id: int) -> None:
        """Ask briefly for an id that is known here; CannotRunError when it is another schema there."""
        known = self._known[schema_id].schema if schema_id in self._known else self._cache.read(schema_id)
        try:
            there = registry.by_id(schema_id, within_s=_CHECK_DEADLINE_S)
        except RefusedError:  # it was usable once: another content
            there = None
        if known is not None and (there is None or not mean_the_same(known, there)):
            raise CannotRunError(
                f"schema id {schema_id} of the registry at {self._url} has changed: it is not the schema any more that "
                "events were read with. Ids never change, so it is another registry, or one that began anew: bring "
                "the old content back, or give the new one another INFLECT_REGISTRY_URL"
            )

    def _forget(self, schema_id: int, refusal: RefusedError | None) -> None:
        if len(self._unknown) >= _MOST_UNKNOWN:
            self._unknown.clear()
        self._unknown[schema_id] = _Unknown(monotonic() + UNKNOWN_S, refusal)

    def _stay_away(self, why: str) -> SchemaAwayError:
        """Remember briefly that the registry is no help, so that who asks in a loop does not wait each time."""
        self._away, self._away_until = why, monotonic() + _AWAY_S
        return SchemaAwayError(why)
