"""A client of the schema registry, of the part of Confluent's HTTP API that registries have in common.

It reads and never writes: nothing here can register a schema, change a compatibility or delete a subject. What it
returns is complete, every text that a schema refers to with it, so that nobody has to ask again to use it.
"""

import base64
import email.utils
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from types import TracebackType
from typing import Final, Literal, Self, TypeVar
from urllib.parse import quote

import msgspec

from inflect.errors import DeniedError, Fault, NotFoundError, RefusedError, UnreachableError
from inflect.model.schema import PinnedSchema, Schema, SchemaKind
from inflect.schemas.transport import Answer, Transport
from inflect.settings import RegistryAccess

__all__ = ["Registry", "RegistryAccess"]

DEADLINE_S: Final = 5.0
"""How long one call may take, its references and retries together."""

MAX_ANSWER_BYTES: Final = 4_000_000
MAX_DEPTH: Final = 32
MAX_REFERENCES: Final = 100

_BACK_OFF_S = 0.2
_KINDS: dict[str, SchemaKind] = {"AVRO": "avro", "JSON": "json", "PROTOBUF": "protobuf"}
_BUSY = (429, 503)
_NOT_FOUND_CODES = range(40400, 40500)

T = TypeVar("T")


class _Reference(msgspec.Struct):
    name: str
    subject: str
    version: int

    def __str__(self) -> str:
        return f"{self.subject} version {self.version}"


class _Content(msgspec.Struct, rename="camel"):
    """What the registry says of a schema, by id or by version."""

    schema: str
    schema_type: str | None = None
    references: list[_Reference] | None = None


class _Version(_Content, rename="camel", kw_only=True):
    id: int
    version: int


class _Complaint(msgspec.Struct):
    error_code: int = 0
    message: str = ""


class Registry:
    """The registry at `access`; a context manager that holds its connections. Not to be shared between threads.

    Every call raises UnreachableError when the registry is away or answers what no registry would, and DeniedError when
    it refuses the credentials. A call takes at most DEADLINE_S.
    """

    def __init__(self, access: RegistryAccess) -> None:
        """Connect to nothing yet."""
        self._url = access.url.rstrip("/")
        self._transport = Transport(self._url, _headers(access), ca=access.ca, max_bytes=MAX_ANSWER_BYTES)
        self._ends_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def check(self) -> None:
        """Return when the registry answers and takes the credentials."""
        self.subjects()

    def subjects(self) -> list[str]:
        """Return the names of all subjects, sorted."""
        self._begin()
        return sorted(self._get("/subjects", list[str]))

    def versions(self, subject: str) -> list[int]:
        """Return the numbers of a subject's versions, oldest first; NotFoundError when there is no such subject."""
        self._begin()
        return sorted(self._get(f"/subjects/{quote(subject, safe='')}/versions", list[int]))

    def version(self, subject: str, number: int | Literal["latest"]) -> PinnedSchema:
        """Return one version with all it refers to.

        NotFoundError when the registry does not have it; RefusedError when it cannot be used: of another kind than
        JSON, Avro and Protobuf, or with references that go in a circle, too deep, or nowhere.
        """
        self._begin()
        found = self._get(_path_of(subject, number), _Version)
        schema = self._complete(found, f"{subject} version {found.version}")
        return PinnedSchema(schema, subject=subject, version=found.version, id=found.id)

    def by_id(self, schema_id: int, *, within_s: float = DEADLINE_S) -> Schema:
        """Return the schema that events name by this id, with all it refers to; errors as those of `version`."""
        self._begin(within_s)
        return self._complete(self._get(f"/schemas/ids/{schema_id}", _Content), f"schema id {schema_id}")

    def _begin(self, within_s: float = DEADLINE_S) -> None:
        self._ends_at = time.monotonic() + within_s

    def _complete(self, content: _Content, what: str) -> Schema:
        kind = _KINDS.get(content.schema_type or "AVRO")
        if kind is None:
            raise _refused(what, f"is of the kind {str(content.schema_type)[:40]!r}; AVRO, JSON and PROTOBUF are known")
        texts: dict[str, str] = {}
        for name, found in self._walk(content, (what,), {}):
            if _KINDS.get(found.schema_type or "AVRO") != kind:
                raise _refused(what, f"refers to {name!r}, which is of another kind")
            if texts.setdefault(name, found.schema) != found.schema:
                raise _refused(what, f"refers to two different schemas by the name {name!r}")
        return Schema(kind, content.schema, texts)

    def _walk(
        self, content: _Content, path: tuple[str, ...], fetched: dict[str, _Content]
    ) -> Iterator[tuple[str, _Content]]:
        """Yield what `content` refers to, by name, those that others need first."""
        for reference in content.references or ():
            place = str(reference)
            if place in path:
                raise _refused(path[0], f"refers to itself: {' → '.join((*path, place))}")
            if len(path) > MAX_DEPTH:
                raise _refused(path[0], f"refers deeper than {MAX_DEPTH} schemas: {' → '.join(path)}")
            known = fetched.get(place)
            if known is None:
                if len(fetched) == MAX_REFERENCES:
                    raise _refused(path[0], f"refers to more than {MAX_REFERENCES} schemas")
                known = fetched[place] = self._referred(reference, path)
                yield from self._walk(known, (*path, place), fetched)
            yield reference.name, known

    def _referred(self, reference: _Reference, path: Sequence[str]) -> _Content:
        try:
            return self._get(_path_of(reference.subject, reference.version), _Content)
        except NotFoundError as error:
            raise _refused(path[0], f"refers to {reference}, which the registry does not have") from error

    def _get(self, path: str, kind: type[T]) -> T:
        body = self._ask(path).body
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.MsgspecError as error:
            raise self._away(f"answers {path} with what no schema registry says: {str(error)[:200]}") from error

    def _ask(self, path: str) -> Answer:
        """Return the good answer; a registry that is busy is asked again while there is time."""
        for attempt in count():
            answer = self._transport.get(path, self._ends_at)
            pause_s = _pause(answer, attempt)
            if answer.status not in _BUSY or time.monotonic() + pause_s >= self._ends_at:
                break
            time.sleep(pause_s)
        self._judge(answer, path)
        return answer

    def _judge(self, answer: Answer, path: str) -> None:
        if answer.status in {401, 403}:
            raise DeniedError(
                f"the schema registry at {self._url} refuses the credentials ({answer.status}{_words(answer)}): check "
                "INFLECT_REGISTRY_USERNAME and INFLECT_REGISTRY_PASSWORD, or INFLECT_REGISTRY_TOKEN, and their rights"
            )
        if answer.status in range(300, 400):
            target = answer.headers.get("location", "nowhere")[:200]
            raise self._away(f"sends us elsewhere, to {target}, and is not followed: name it in INFLECT_REGISTRY_URL")
        if answer.status in {200, 404} and not _is_json(answer):
            said = answer.headers.get("content-type", "nothing")[:80]
            raise self._away(
                f"answers {path} with {answer.status} and {said}, not with JSON; INFLECT_REGISTRY_URL must be the root "
                "of its Confluent-compatible API"
            )
        # Another 404 than the API's own is a proxy's or a wrong root: it says nothing about a schema.
        if answer.status == 404 and _complaint(answer).error_code in _NOT_FOUND_CODES:  # noqa: PLR2004  HTTP's number
            raise NotFoundError(f"the schema registry at {self._url} does not have {path}{_words(answer)}")
        if answer.status != 200:  # noqa: PLR2004  HTTP's number
            raise self._away(f"answers {path} with {answer.status}{_words(answer)}")

    def _away(self, why: str) -> UnreachableError:
        return UnreachableError(f"the schema registry at {self._url} {why}")


def _headers(access: RegistryAccess) -> Mapping[str, str]:
    headers = {"accept": "application/vnd.schemaregistry.v1+json, application/json", "user-agent": "inflect"}
    if access.token:
        headers["authorization"] = f"Bearer {access.token}"
    elif access.username:
        both = base64.b64encode(f"{access.username}:{access.password}".encode()).decode()
        headers["authorization"] = f"Basic {both}"
    return headers


def _path_of(subject: str, number: int | str) -> str:
    return f"/subjects/{quote(subject, safe='')}/versions/{number}"


def _refused(what: str, why: str) -> RefusedError:
    return RefusedError(what, [Fault("", why)])


def _pause(answer: Answer, attempt: int) -> float:
    """Return the seconds to wait: as the server asks (RFC 9110: a number of seconds, or a date), else a back-off."""
    asked = answer.headers.get("retry-after", "").strip()
    if asked.isdecimal():
        return float(asked[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(asked).timestamp() - time.time())
    except (ValueError, OverflowError):
        return float(_BACK_OFF_S * 2**attempt)


def _is_json(answer: Answer) -> bool:
    kind = answer.headers.get("content-type", "").split(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def _complaint(answer: Answer) -> _Complaint:
    try:
        return msgspec.json.decode(answer.body, type=_Complaint)
    except msgspec.MsgspecError:
        return _Complaint()


def _words(answer: Answer) -> str:
    message = _complaint(answer).message[:200]
    return f": {message}" if message else ""
