"""How long a slot waits after a failed life. Pure; the chance in the jitter is passed in.

Growing, so that a pipeline that cannot live does not take the box from the others; jittered, so that workers
felled by one cause do not come back as one.
"""

from typing import Final

from inflect.supervisor.reconcile import Backoff

FIRST_S: Final = 1.0
LONGEST_S: Final = 60.0
WELL_S: Final = 300.0
"""A life of this length wipes out the failures before it."""


def after_failure(previous: Backoff, *, revision: int, lived_s: float, now: float, chance: float) -> Backoff:
    """Return the slot's next wait: 1 s doubling to 60 s, less up to a quarter (`chance` in [0, 1))."""
    forgotten = lived_s >= WELL_S or previous.revision != revision
    failures = 1 if forgotten else previous.failures + 1
    delay_s = min(LONGEST_S, FIRST_S * 2.0 ** min(failures - 1, 16))
    return Backoff(failures, now + delay_s * (1 - chance / 4), revision)


def after_leave(previous: Backoff, *, revision: int, now: float) -> Backoff:
    """Return the wait of a worker that ended well though nobody asked: short, and no failure."""
    failures = previous.failures if previous.revision == revision else 0
    return Backoff(failures, now + FIRST_S, revision)
