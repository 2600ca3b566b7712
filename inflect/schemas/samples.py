"""Sample events made from a schema: what a test tries when nobody has an event at hand.

The same seed gives the same events, and every one is valid by its own schema: a JSON event is checked before it
leaves, and what is found wrong is drawn again, there and nowhere else. Avro and Protobuf say what fits when they are
encoded, so a caller who wants proof encodes. Bounded in size, depth, tries and time.

Why not a library: of those that make events from a JSON Schema, jsf leaves `allOf` and conditions out and does not end
on recursive schemas; hypothesis-jsonschema refuses those, and knows drafts up to 7; neither gives values that people
recognise. fastavro's `generate_many` cannot be seeded and gives Python's types. What parses .proto files is a library.
"""

import json
import time
from collections.abc import Callable
from typing import Any

from inflect.errors import Fault, RefusedError
from inflect.model.schema import PinnedSchema
from inflect.schemas.json_schema import JsonValidator
from inflect.schemas.sampling.avro import draw_avro, read_avro
from inflect.schemas.sampling.branches import JsonSchema
from inflect.schemas.sampling.json_schema import draw_event
from inflect.schemas.sampling.protobuf import draw_message, read_proto
from inflect.schemas.sampling.references import read_documents
from inflect.schemas.sampling.walk import ImpossibleError, Walk

_MOST_TRIES = 400
_MOST_S = 5.0
# A schema may have fewer different events than are asked for.
_MOST_ALIKE = 5


def generate(pinned: PinnedSchema, count: int, seed: int = 0) -> list[Any]:
    """Return so many different events as JSON values, in the shapes a JavaScript function gets them.

    The first has everything its schema speaks of. RefusedError for a schema that cannot be read, and for one that no
    event was found for.
    """
    draw = _MAKERS[pinned.schema.kind](pinned)
    events: list[Any] = []
    seen: set[str] = set()
    for index in range(count):
        for attempt in range(_MOST_ALIKE):
            event = _drawn(pinned, draw, Walk(seed, index, attempt))
            mark = json.dumps(event, sort_keys=True)
            if mark not in seen:
                break
        seen.add(mark)
        events.append(event)
    return events


Draw = Callable[[Walk], Any]


def _drawn(pinned: PinnedSchema, draw: Draw, walk: Walk) -> Any:
    try:
        return draw(walk)
    except ImpossibleError as error:
        message = f"no event was found that satisfies it; the last one tried fails {error}"
        raise RefusedError(str(pinned), [Fault("", message)]) from error


def _json(pinned: PinnedSchema) -> Draw:
    validator = JsonValidator(pinned.schema)
    schema = JsonSchema(read_documents(pinned.schema.text, pinned.schema.references))

    def draw(walk: Walk) -> Any:
        ends_at = time.monotonic() + _MOST_S
        wrong = ImpossibleError("", "nothing was tried")
        for _ in range(_MOST_TRIES):
            try:
                event = draw_event(schema, walk)
            except ImpossibleError as error:
                wrong = error
            else:
                fault = validator.check(json.dumps(event))
                if fault is None:
                    return event
                wrong = ImpossibleError(fault.path, fault.message)
            if time.monotonic() > ends_at:
                break
            walk.again(wrong.path)
        raise wrong

    return draw


def _avro(pinned: PinnedSchema) -> Draw:
    schema = read_avro(pinned.schema)
    return lambda walk: draw_avro(schema, walk)


def _protobuf(pinned: PinnedSchema) -> Draw:
    schema = read_proto(pinned)
    return lambda walk: draw_message(schema, walk)


_MAKERS: dict[str, Callable[[PinnedSchema], Draw]] = {"json": _json, "avro": _avro, "protobuf": _protobuf}
