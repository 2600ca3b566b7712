"""Events as fields of a form: what stands in them, what is wrong with it, and the events they mean.

A value is the text that the source topic would hold, byte for byte; so an event that cannot be read can be tried too.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from inflect.control.trial_inputs import Input
from inflect.errors import Fault
from inflect.model.pipeline import Format
from inflect.web.json_text import Problem, laid_out, problem_of

MOST_EVENTS = 50
WRITTEN_AS_JSON: tuple[Format, ...] = ("json", "avro", "protobuf")

Kind = Literal["text", "base64", "none"]


@dataclass(frozen=True, slots=True)
class EventFields:
    """One event as it stands in the form. `kind`: the value is text, bytes in base64, or there is none (a tombstone).

    `headers` are lines `name: value`; `test` names the pipeline's test that it came from; `note` says what could not
    be taken over.
    """

    value: str = "{\n  \n}"
    kind: Kind = "text"
    key: str = ""
    headers: str = ""
    test: str = ""
    note: str = ""

    @property
    def mark(self) -> str:
        """A word that changes with the event."""
        told = "\x1f".join((self.kind, self.value if self.kind != "none" else "", self.key, self.headers))
        return hashlib.sha256(told.encode()).hexdigest()[:16]


def from_input(event: Input, *, test: str = "") -> EventFields:
    """The fields of an event that `control` found."""
    return EventFields(
        value=event.base64 or event.text or "",
        kind="base64" if event.base64 is not None else "none" if event.text is None else "text",
        key=event.key or "",
        headers="\n".join(_header_lines(event.headers)),
        test=test,
        note="Its key or headers hold bytes that are not UTF-8; those are left out." if event.lost else "",
    )


def _header_lines(headers: Mapping[str, Any]) -> Iterator[str]:
    for name, said in headers.items():
        for text in said if isinstance(said, list) else [said]:
            yield f"{name}: {' '.join(str(text).splitlines())}"


def read_form(form: Mapping[str, Any]) -> list[EventFields]:
    """The events of a submitted form, in order; fields of places that do not exist are not looked at."""
    found = []
    for place in range(MOST_EVENTS):
        if f"value-{place}" not in form:
            break
        kind = str(form.get(f"kind-{place}", ""))
        texts = {
            name: _plain(form.get(f"{name}-{place}", ""))
            for name in ("value", "key", "headers", "test", "note")
        }  # fmt: skip
        found.append(EventFields(kind=kind if kind in {"base64", "none"} else "text", **texts))  # type: ignore[arg-type]  # checked beside
    return found


def _plain(text: Any) -> str:
    """As it was typed: forms are sent with the line breaks of the network."""
    return str(text).replace("\r\n", "\n")


def problem_in(event: EventFields, written: Format) -> Problem | None:
    """Where a value that should be JSON is none. It may be tried all the same: as an event that cannot be read."""
    return problem_of(event.value) if event.kind == "text" and written in WRITTEN_AS_JSON else None


def parsed(text: str) -> Any:
    """The value of a text that is JSON."""
    return json.loads(text)


def to_events(events: Sequence[EventFields], written: Format) -> tuple[list[dict[str, Any]], list[Fault]]:
    """Events as `control.trial` takes them, values as bytes; and the faults of what cannot be one."""
    found: list[dict[str, Any]] = []
    faults: list[Fault] = []
    for number, event in enumerate(events, 1):
        headers, broken = _headers(event.headers)
        faults += [Fault(f"event {number}", text) for text in broken]
        value = _bytes(event, written)
        if isinstance(value, str):
            faults.append(Fault(f"event {number}", value))
        found.append({"value": value, "key": event.key or None, "headers": headers})
    return found, faults


def _bytes(event: EventFields, written: Format) -> bytes | str | None:
    """The value's bytes, None for a tombstone; a text says why there are none."""
    if event.kind == "none":
        return None
    if event.kind == "text" and written != "bytes":
        return event.value.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode("".join(event.value.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        return f"the value is no base64: {error}"


def _headers(text: str) -> tuple[dict[str, list[str]], list[str]]:
    found: dict[str, list[str]] = {}
    broken = []
    for number, line in enumerate(text.splitlines(), 1):
        name, colon, value = line.partition(":")
        if colon and name.strip():
            found.setdefault(name.strip(), []).append(value.strip())
        elif line.strip():
            broken.append(f"line {number} of the headers must be `name: value`, not {line.strip()[:80]!r}")
    return found, broken


def pretty(event: EventFields, written: Format) -> EventFields:
    """The event with its JSON laid out for editing."""
    if event.kind != "text" or written not in WRITTEN_AS_JSON:
        return event
    return EventFields(laid_out(event.value), event.kind, event.key, event.headers, event.test, event.note)
