from datetime import UTC, datetime, timedelta

import pytest

from inflect.web import numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),  # noqa: RUF001  the dash for no value
        (0, "0"),
        (9876, "9,876"),
        (12_345, "12.3 k"),
        (123_456, "123 k"),
        (999_700, "1.0 M"),
        (1_234_567, "1.2 M"),
        (2_500_000_000_000, "2.5 T"),
    ],
)
def test_numbers_are_rounded_to_three_figures(value: float | None, text: str) -> None:
    assert numbers.short(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0/s"), (0.02, "0.1/s"), (3.14, "3.1/s"), (340, "340/s"), (12_000, "12.0 k/s")]
)
def test_a_trickle_is_not_shown_as_nothing(value: float, text: str) -> None:
    assert numbers.rate(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.9, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (200_000, "2 d")]
)
def test_nothing_is_older_than_it_is(seconds: float, text: str) -> None:
    assert numbers.duration(seconds) == text


def test_a_clock_that_runs_ahead_gives_no_negative_age() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert numbers.ago(now + timedelta(seconds=5), now) == "0 s ago"
    assert numbers.ago(None, now) == "never"


def test_sizes_are_decimal() -> None:
    assert [numbers.size(n) for n in (12, 28_400_000, 2_500_000_000)] == ["12 B", "28 MB", "2.5 GB"]
