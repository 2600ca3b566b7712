"""A schema that cannot be used is tried once in a while, not at every look."""

from dataclasses import replace

from inflect.control.verdicts import KEPT_S, Verdicts
from inflect.errors import Fault
from inflect.model.schema import PinnedSchema, Schema

BROKEN = PinnedSchema(Schema("avro", "{}"), "orders-value", 2, 102)
FAULT = Fault("", "is no schema")


class Tries:
    """A trial that refuses every schema and remembers which it was asked."""

    def __init__(self, *faults: Fault) -> None:
        self.faults = list(faults)
        self.asked: list[PinnedSchema] = []
        self.now = 0.0

    def trial(self, pinned: PinnedSchema) -> list[Fault]:
        self.asked.append(pinned)
        return self.faults

    def verdicts(self) -> Verdicts:
        return Verdicts(lambda: self.now, self.trial)


def test_a_schema_that_cannot_be_used_is_not_tried_again_for_a_while() -> None:
    tries = Tries(FAULT)
    verdicts = tries.verdicts()
    for _ in range(3):
        assert verdicts.of(BROKEN) == (FAULT,)
    assert verdicts.of(replace(BROKEN, version=3, id=103)) == (FAULT,)  # the same content under another number
    assert tries.asked == [BROKEN]
    tries.now = KEPT_S
    assert verdicts.of(BROKEN) == (FAULT,)
    assert len(tries.asked) == 2


def test_another_content_or_another_message_is_tried() -> None:
    tries = Tries(FAULT)
    verdicts = tries.verdicts()
    others = [
        BROKEN,
        replace(BROKEN, message="Order"),
        replace(BROKEN, schema=Schema("avro", "[]")),
        replace(BROKEN, schema=Schema("avro", "{}", {"other": "{}"})),
        replace(BROKEN, schema=Schema("protobuf", "{}")),
    ]
    for one in others:
        assert verdicts.of(one) == (FAULT,)
    assert tries.asked == others


def test_a_schema_that_can_be_used_is_tried_each_time() -> None:
    tries = Tries()
    verdicts = tries.verdicts()
    assert verdicts.of(BROKEN) == verdicts.of(BROKEN) == ()
    assert len(tries.asked) == 2
