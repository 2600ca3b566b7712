"""The soak's events, its pipeline, and what must come out: the same function in another language than the steps."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

KEYS = 997

PROCESSORS = {
    "transformations/lowercase-email.js": """\
module.exports = (event) => {
  event.email = event.email.toLowerCase()
  return event
}
""",
    "filters/only-paid.js": "module.exports = (event) => event.paid\n",
    "transformations/total.js": """\
module.exports = (event) => {
  if (event.items === null) throw new TypeError(`order ${event.n} has no items`)
  event.total = event.items.reduce((sum, item) => sum + item, 0)
  return event
}
""",
    "transformations/mark.js": """\
module.exports = (event) => {
  event.name = event.name.toUpperCase()
  event.seen = true
  return event
}
""",
}


# Two versions of the source's schema, the pinned one last, and the target's: the first is what older writers wrote.
SCHEMAS = {
    "source": (
        {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}},
        {"type": "object", "required": ["n", "email", "paid"], "properties": {"email": {"type": "string"}}},
    ),
    "target": ({"type": "object", "required": ["n", "total", "seen"], "properties": {"seen": {"const": True}}},),
}


def subject(topic: str) -> str:
    """The subject of a topic's values."""
    return f"{topic}-value"


def pipeline(name: str, *, source: str, target: str, dead_letter: str, workers: int) -> dict[str, Any]:
    """The pipeline document under test."""
    return {
        "name": name,
        "source": {"topic": source, "schema": {"subject": subject(source), "version": len(SCHEMAS["source"])}},
        "steps": [
            {"transformation": "lowercase-email"},
            {"filter": "only-paid"},
            {"transformation": "total"},
            {"transformation": "mark"},
        ],
        "target": {"topic": target, "schema": {"subject": subject(target), "version": len(SCHEMAS["target"])}},
        "dead_letter": dead_letter,
        "workers": {"min": workers, "max": max(4, workers)},
    }


def event(n: int, ids: Sequence[int] = ()) -> tuple[bytes, bytes]:
    """Key and value of event `n`: a tenth is filtered, one in 500 fails.

    With `ids`, the value has the wire prefix of one of these schemas, in turn.
    """
    document = {
        "n": n,
        "email": f"User.{n % 10_007}@Example.COM",
        "paid": n % 10 != 3,
        "items": None if n % 500 == 7 else [n % 100, 5, 17],
        "name": f"customer {n % 89}",
        "note": "some words to make it as long as events are",
    }
    prefix = b"\x00" + ids[n % len(ids)].to_bytes(4, "big") if ids else b""
    return b"key-%d" % (n % KEYS), prefix + json.dumps(document).encode()


def plain(value: bytes | None) -> dict[str, Any]:
    """The document in a value, behind its wire prefix when it has one."""
    text = value or b"{}"
    found: dict[str, Any] = json.loads(text[5:] if text.startswith(b"\x00") else text)
    return found


def expected(n: int) -> dict[str, Any] | None:
    """What event `n` becomes in the target; None when it does not arrive there."""
    _key, value = event(n)
    document = plain(value)
    if not document["paid"] or document["items"] is None:
        return None
    total = sum(document["items"])
    changed = {"email": document["email"].lower(), "name": document["name"].upper()}
    return {**document, **changed, "total": total, "seen": True}


def fails(n: int) -> bool:
    """Whether event `n` is dead-lettered."""
    return n % 500 == 7 and n % 10 != 3


@dataclass(frozen=True, slots=True)
class Expectation:
    """How many of the first `events` end where."""

    events: int

    @property
    def delivered(self) -> int:
        """Events that reach the target."""
        return sum(1 for n in range(self.events) if n % 10 != 3 and n % 500 != 7)

    @property
    def dead_lettered(self) -> int:
        """Events that fail."""
        return sum(1 for n in range(self.events) if fails(n))
