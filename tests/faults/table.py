"""Which test proves which row of the catalogue, and the table of it: `python -m tests.faults.table` writes the docs.

Tests are read, not run: a row counts when a test is named after it or marked with it.
"""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.faults.catalogue import ROWS

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "faults.md"
HEAD = """\
# Faults

What is done to Inflect by its own tests, against real servers, and what then happens. `make test` runs every row of
this table. It is written from the marks on the tests by `python -m tests.faults.table`, and a test fails when it is out
of date.

Every row ends in the same judgement: each event in exactly one place for a reader of committed records, in order per
source partition and key, with the value that a reference written in another language computes, offsets that agree with
the output, and books that balance. That judgement is itself tested with defects sown into the loop (A58).

Order per key holds per source partition. A topic that gets partitions while it is written to (A36, A37) moves keys to
other partitions, as Kafka does for every producer: then a key's events before and after may be read in any order.

## What Kafka and its client do not promise, and what is done about it

- **A transaction may stay open** when its worker dies or hangs. Readers of committed records then wait at its first
  record, whatever was committed behind it, until the slot's next producer ends it (a second or two) or the broker does:
  after 15 s, and at most 10 s until it looks. Nothing is lost meanwhile, and the books are right before readers see it.
- **`send_offsets_to_transaction` may never return** in librdkafka 2.16 when the group's coordinator is lost at that
  moment, as by a broker's restart (confluentinc/librdkafka#5456). It is given up after 6 s, and the producer renewed.
- **A request may be repeated on a new connection without a word**, and the first one arrive late, in a later
  transaction of the same epoch (KAFKA-17754). A connection that broke, or a request without an answer, is read from the
  client's log before the next transaction begins, and the producer renewed, which makes the late request one of an old
  epoch. A13 shows both: the late commit refused, and what it does to a producer that was not renewed.
- **A broker may wait for a member that is dead**: Kafka 4.1 can forget the session timers of a group that it loads when
  its partition is elected again meanwhile. A worker that dies while its broker starts again then holds up its group for
  the time a rebalance may take, 90 s, instead of its session of 6 s. The others say `no partition assigned`.
- **Open:** in one soak of fifteen minutes two broker kills six seconds apart were followed by events delivered twice.
  The later offsets stand committed in the group's topic, yet a worker was answered those from before the kills. It is
  not explained yet.

## Rows

| row | fault | what happens | proven by |
| --- | --- | --- | --- |
"""
AREAS = {"A": "Data plane", "B": "Events and code", "C": "Schema registry", "D": "PostgreSQL", "E": "Processes"}

Proofs = Mapping[str, Sequence[str]]


def proofs() -> Proofs:
    """Per row, the tests that prove it, as `path::name` below `tests/`."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for row in sorted(rows_of(node)):
                    found[row].append(f"{path.relative_to(ROOT / 'tests')}::{node.name}")
    return found


def rows_of(test: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """The rows a test is named after or marked with."""
    named = {row.upper() for row in re.findall(r"^test_([a-e]\d\d)_", test.name)}
    return named | {row for decorator in test.decorator_list for row in _marked(decorator)}


def _marked(decorator: ast.expr) -> Iterator[str]:
    if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.row":
        yield from (str(ast.literal_eval(argument)) for argument in decorator.args)


def render(proven: Proofs) -> str:
    """The document."""
    lines = [HEAD.rstrip("\n")]
    for name, row in ROWS.items():
        tests = "<br>".join(f"`{test}`" for test in proven.get(name, ()))
        lines.append(f"| {name} | {row.fault} | {row.outcome} | {tests} |")
    areas = ", ".join(f"{len([row for row in proven if row[0] == letter])} {area}" for letter, area in AREAS.items())
    lines += ["", f"{len(proven)} rows: {areas}.", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    TABLE.write_text(render(proofs()))
    sys.stdout.write(f"wrote {TABLE}\n")
