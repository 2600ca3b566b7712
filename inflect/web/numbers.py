"""Numbers and times as people read them: rounded, with their unit, in a width that does not jump.

Pure functions, registered as template filters by `web.render`. The exact value belongs in a `title` beside each.
"""

import math
from datetime import datetime

ABSENT = "–"  # noqa: RUF001  an en dash reads as "no value" in a column of figures
_THOUSAND = 1000
_SHOWN_EXACTLY = 10_000
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400


def exact(value: float | None) -> str:
    """`1,234,567`: every digit, grouped."""
    return ABSENT if value is None else f"{value:,.0f}"


def short(value: float | None) -> str:
    """`9,876`, `12.3 k`, `1.2 M`: at most three figures from ten thousand on."""
    if value is None:
        return ABSENT
    if abs(value) < _SHOWN_EXACTLY:
        return f"{value:,.0f}"
    for unit in ("k", "M", "G"):
        value /= _THOUSAND
        if abs(value) < _THOUSAND - 0.5:
            return f"{_three_figures(value)} {unit}"
    return f"{_three_figures(value / _THOUSAND)} T"


def _three_figures(value: float) -> str:
    places = 0 if abs(value) >= 100 else 1  # noqa: PLR2004  three figures: 123, 12.3, 1.2
    return f"{value:.{places}f}"


def rate(value: float | None) -> str:
    """`340/s`; below ten one place, so that a trickle is not shown as nothing."""
    if value is None:
        return ABSENT
    if 0 < value < 10:  # noqa: PLR2004  see the docstring
        return f"{max(value, 0.1):.1f}/s"
    return f"{short(value)}/s"


def duration(seconds: float | None) -> str:
    """`0 s`, `12 s`, `3 min`, `5 h`, `9 d`, rounded down: nothing is older than it is."""
    if seconds is None:
        return ABSENT
    whole = max(0, math.floor(seconds))
    for size, unit in ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "min")):
        if whole >= 2 * size:
            return f"{whole // size} {unit}"
    return f"{whole} s"


def ago(moment: datetime | None, now: datetime) -> str:
    """`12 s ago`, `3 min ago`; `now` is the clock of the reader, so both come from one place."""
    if moment is None:
        return "never"
    return f"{duration((now - moment).total_seconds())} ago"


def stamp(moment: datetime | None) -> str:
    """`2026-11-22 18:45:03 UTC`: the exact time behind a relative one."""
    return ABSENT if moment is None else moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def size(size_bytes: float | None) -> str:
    """`28 MB`, decimal units."""
    if size_bytes is None:
        return ABSENT
    for unit in ("B", "kB", "MB"):
        if abs(size_bytes) < _THOUSAND:
            return f"{size_bytes:.0f} {unit}"
        size_bytes /= _THOUSAND
    return f"{size_bytes:.1f} GB"


def millis(value_ms: float | None) -> str:
    """`< 0.1 ms`, `0.25 ms`, `4.1 ms`, `1.2 s`: how long a step took, as far as the clock tells."""
    if value_ms is None:
        return ABSENT
    if value_ms >= _THOUSAND:
        return f"{value_ms / _THOUSAND:.1f} s"
    if value_ms < 0.1:  # noqa: PLR2004  what the isolate's clock resolves
        return "< 0.1 ms"
    return f"{value_ms:.0f} ms" if value_ms >= 10 else f"{value_ms:.2g} ms"  # noqa: PLR2004  two figures below it
