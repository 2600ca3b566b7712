"""The catalogue keeps its word: every row has a test, and the table in the docs says which."""

from tests.faults.catalogue import ROWS
from tests.faults.table import TABLE, proofs, render

LEAST = 60


def test_every_row_of_the_catalogue_is_proven_and_there_are_enough() -> None:
    proven = proofs()
    assert proven.keys() - ROWS.keys() == set(), "marked, but not in the catalogue"
    assert ROWS.keys() - proven.keys() == set(), "in the catalogue, but no test proves it"
    assert len(proven) >= LEAST


def test_the_table_in_the_docs_is_up_to_date() -> None:
    assert TABLE.read_text() == render(proofs()), "run `python -m tests.faults.table`"
