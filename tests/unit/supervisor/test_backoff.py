"""How long a slot rests."""

from inflect.supervisor.backoff import WELL_S, after_failure, after_leave
from inflect.supervisor.reconcile import Backoff


def fail(previous: Backoff, *, lived_s: float = 0.0, revision: int = 1, chance: float = 0.0) -> Backoff:
    return after_failure(previous, revision=revision, lived_s=lived_s, now=100.0, chance=chance)


def test_the_wait_doubles_from_one_second_to_sixty() -> None:
    waits, backoff = [], Backoff()
    for _ in range(9):
        backoff = fail(backoff)
        waits.append(backoff.not_before - 100)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_jitter_shortens_the_wait_by_up_to_a_quarter() -> None:
    assert fail(Backoff(), chance=0.0).not_before == 101
    assert 100.75 <= fail(Backoff(), chance=0.999).not_before < 100.76


def test_a_long_life_wipes_out_earlier_failures() -> None:
    assert fail(Backoff(failures=6, revision=1), lived_s=WELL_S).failures == 1


def test_a_new_revision_starts_with_a_clean_slate() -> None:
    assert fail(Backoff(failures=6, revision=1), revision=2).failures == 1


def test_thousands_of_failures_overflow_nothing() -> None:
    assert fail(Backoff(failures=100_000, revision=1)).not_before == 160


def test_a_worker_that_leaves_well_rests_shortly_and_counts_as_no_failure() -> None:
    assert after_leave(Backoff(failures=2, revision=1), revision=1, now=100.0) == Backoff(2, 101.0, 1)
