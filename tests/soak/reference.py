"""The soak's events, its pipeline, and what must come out: the same function in another language than the steps."""

import json
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


def pipeline(name: str, *, source: str, target: str, dead_letter: str, workers: int) -> dict[str, Any]:
    """The pipeline document under test."""
    return {
        "name": name,
        "source": {"topic": source},
        "steps": [
            {"transformation": "lowercase-email"},
            {"filter": "only-paid"},
            {"transformation": "total"},
            {"transformation": "mark"},
        ],
        "target": {"topic": target},
        "dead_letter": dead_letter,
        "workers": {"min": workers, "max": max(4, workers)},
    }


def event(n: int) -> tuple[bytes, bytes]:
    """Key and value of event `n`: a tenth is filtered, one in 500 fails."""
    document = {
        "n": n,
        "email": f"User.{n % 10_007}@Example.COM",
        "paid": n % 10 != 3,
        "items": None if n % 500 == 7 else [n % 100, 5, 17],
        "name": f"customer {n % 89}",
        "note": "some words to make it as long as events are",
    }
    return b"key-%d" % (n % KEYS), json.dumps(document).encode()


def expected(n: int) -> dict[str, Any] | None:
    """What event `n` becomes in the target; None when it does not arrive there."""
    _key, value = event(n)
    document = json.loads(value)
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
