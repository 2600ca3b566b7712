"""The catalogue of faults: what is done to Inflect, and what then happens; the rows are in `catalogue.txt`.

A row is proven by a test named after it (`test_a12_…`) or marked with it (`@pytest.mark.row("A01")`); `table` puts
both together into `docs/faults.md`. The letters: A the data plane, B events and code, C the schema registry,
D PostgreSQL, E the supervisor and its processes.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One fault and its defined end."""

    fault: str
    outcome: str


def _read() -> dict[str, Row]:
    lines = Path(__file__).with_name("catalogue.txt").read_text().splitlines()
    return {row: Row(fault, outcome) for row, fault, outcome in (line.split(" | ") for line in lines)}


ROWS = _read()
