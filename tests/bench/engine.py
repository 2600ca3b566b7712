"""Microseconds per event of the four-step program, without Kafka: `python -m tests.bench.engine`. Run by hand."""

import sys
import time
from datetime import UTC, datetime

from inflect.model.event import Batch
from inflect.model.pipeline import Pipeline, Source, Step, Target
from inflect.model.revision import Revision
from inflect.processing.chain import Chain

EVENTS = 10_000
ROUNDS = 40
MODULES = {
    "transformations/lower.js": "module.exports = e => { e.email = e.email.toLowerCase(); return e }",
    "filters/paid.js": "module.exports = e => e.paid",
    "transformations/total.js": (
        "module.exports = e => { e.total = e.items.reduce((s, i) => s + i.price * i.qty, 0); return e }"
    ),
    "transformations/upper.js": "module.exports = e => { e.country = e.country.toUpperCase(); e.ok = true; return e }",
}


def main() -> None:
    """Settle the same batch repeatedly and print the best and the median."""
    steps = tuple(
        Step(path.split("/")[1][:-3], "filter" if path.startswith("filters") else "transformation", path)
        for path in MODULES
    )
    revision = Revision(1, Pipeline("bench", Source("in"), Target("out"), steps=steps), MODULES, tuple(MODULES))
    values = [
        b'{"id":%d,"email":"User%d@Example.COM","paid":true,"country":"de","items":[{"sku":"a1","price":12.5,"qty":2},'
        b'{"sku":"b2","price":3.25,"qty":1}],"note":"hello world"}' % (index, index)
        for index in range(EVENTS)
    ]
    batch = Batch("in", values, [b"k"] * EVENTS, [None] * EVENTS, [1] * EVENTS, [0] * EVENTS, range(EVENTS))
    with Chain(revision, max_record_bytes={"out": 1_048_588}) as chain:
        times = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            chain.settle(batch, now=datetime.now(UTC))
            times.append((time.perf_counter() - started) / EVENTS * 1e6)
    sys.stdout.write(f"best {min(times):.2f} us, median {sorted(times)[ROUNDS // 2]:.2f} us per event\n")


if __name__ == "__main__":
    main()
