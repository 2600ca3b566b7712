"""Kill everything under load and count every event: the proof of exactly-once, by one command.

`python -m tests.soak --seconds 45 --seed 7` prints progress on stderr and one line of JSON on stdout; exit 1 when
one event was lost, doubled, out of order or wrong, or when the books do not balance.
"""
