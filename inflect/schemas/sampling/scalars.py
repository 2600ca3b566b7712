"""Numbers and texts that several schemas allow at once, in the range and wording people would expect."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor, gcd, lcm
from random import Random
from typing import Any

from inflect.schemas.sampling import patterns, words
from inflect.schemas.sampling.walk import ImpossibleError, Place

_USUAL = 1000
_FINER = 1000
_LONGEST = 1_000_000

Schemas = Sequence[Mapping[str, Any]]


def number(place: Place, schemas: Schemas, rng: Random, *, integer: bool) -> int | float:
    """Draw a number that all allow."""
    low, high, open_low, open_high = _bounds(schemas)
    if low is not None and high is not None and low > high:
        raise ImpossibleError(place.path, f"no number lies between {_plain(low)} and {_plain(high)}")
    first, last, digits = words.span(place.name)
    step = _step(schemas, integer=integer) or Fraction(1, 10**digits)
    low, high = _usual(low, high, Fraction(first), Fraction(last), step)
    if not integer and high - low < step * 2 and not any("multipleOf" in schema for schema in schemas):
        step = (high - low) / _FINER or step
    lowest, highest = ceil(low / step), floor(high / step)
    lowest += open_low is not None and lowest * step <= open_low
    highest -= open_high is not None and highest * step >= open_high
    if lowest > highest:
        raise ImpossibleError(place.path, f"no number between {_plain(low)} and {_plain(high)} is what it must be")
    value = rng.randint(lowest, highest) * step
    return int(value) if integer or step.denominator == 1 else float(value)


def _plain(value: Fraction) -> int | float:
    return int(value) if value.denominator == 1 else float(value)


def _fractions(schemas: Schemas, keyword: str) -> list[Fraction]:
    return [_fraction(schema[keyword]) for schema in schemas if _is_number(schema.get(keyword))]


def _fraction(value: float) -> Fraction:
    return Fraction(Decimal(str(value)))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _bounds(schemas: Schemas) -> tuple[Fraction | None, Fraction | None, Fraction | None, Fraction | None]:
    """Lowest and highest, and where those themselves are not allowed (draft 4 says so with true)."""
    lows, highs = _fractions(schemas, "minimum"), _fractions(schemas, "maximum")
    open_lows, open_highs = _fractions(schemas, "exclusiveMinimum"), _fractions(schemas, "exclusiveMaximum")
    open_lows += [_fraction(s["minimum"]) for s in schemas if s.get("exclusiveMinimum") is True and "minimum" in s]
    open_highs += [_fraction(s["maximum"]) for s in schemas if s.get("exclusiveMaximum") is True and "maximum" in s]
    return (
        max([*lows, *open_lows], default=None),
        min([*highs, *open_highs], default=None),
        max(open_lows, default=None),
        min(open_highs, default=None),
    )


def _step(schemas: Schemas, *, integer: bool) -> Fraction | None:
    steps = _fractions(schemas, "multipleOf") + ([Fraction(1)] if integer else [])
    if not steps:
        return None
    return Fraction(lcm(*(s.numerator for s in steps)), gcd(*(s.denominator for s in steps)))


def _usual(
    low: Fraction | None, high: Fraction | None, first: Fraction, last: Fraction, step: Fraction
) -> tuple[Fraction, Fraction]:
    """The usual range as far as it is allowed; where it is not, what is allowed near the bound that is known."""
    wide = max(Fraction(_USUAL), step * 10)
    last = max(last, step * 10) if high is None else last
    if low is None and high is None:
        return first, last
    if low is None and high is not None:
        return (first, min(last, high)) if first <= high else (high - wide, high)
    if high is None and low is not None:
        return (max(first, low), last) if low <= last - step else (low, low + wide)
    assert low is not None  # noqa: S101  for the type checker
    assert high is not None  # noqa: S101  for the type checker
    clipped = max(first, low), min(last, high)
    if clipped[1] - clipped[0] < step:
        clipped = max(Fraction(1), low), min(Fraction(_USUAL), high)
    return clipped if clipped[1] - clipped[0] >= step else (low, high)


def text(place: Place, schemas: Schemas, rng: Random) -> str:
    """Draw a text that all allow."""
    shortest = int(max((schema.get("minLength", 0) for schema in schemas), default=0))
    longest = min((int(schema["maxLength"]) for schema in schemas if "maxLength" in schema), default=None)
    if longest is not None and shortest > longest:
        raise ImpossibleError(place.path, f"a text cannot have at least {shortest} and at most {longest} characters")
    if shortest > _LONGEST:
        raise ImpossibleError(place.path, f"a text of {shortest:,} characters is longer than is made here")
    wanted = [schema["pattern"] for schema in schemas if "pattern" in schema]
    matchers = [matches for pattern in wanted if (matches := patterns.matcher(pattern))]
    for candidate in _candidates(place, schemas, rng, shortest, longest):
        fits = len(candidate) >= shortest and (longest is None or len(candidate) <= longest)
        if fits and all(matches(candidate) for matches in matchers):
            return candidate
    bounds = f"{shortest} to {'any number of' if longest is None else longest} characters"
    detail = f", pattern {' and '.join(wanted)}" if wanted else ""
    raise ImpossibleError(place.path, f"no text was found that fits: {bounds}{detail}")


def _candidates(place: Place, schemas: Schemas, rng: Random, shortest: int, longest: int | None) -> Iterator[str]:
    formats = [schema["format"] for schema in schemas if isinstance(schema.get("format"), str)]
    for name in formats:
        if (found := words.formatted(name, rng, place.cast)) is not None:
            yield found
    if any(str(schema.get("contentEncoding")).startswith("base64") for schema in schemas):
        yield words.raw_bytes(rng, max(12, shortest))
    if any("json" in str(schema.get("contentMediaType")) for schema in schemas):
        yield f'{{"{words.word(rng)}": {rng.randint(1, 99)}}}'
    if (found := words.named(place.name, rng, place.cast)) is not None:
        yield found
        if longest is not None:
            yield found[:longest].rstrip()
    for schema in schemas:
        if "pattern" in schema:
            yield from patterns.examples(schema["pattern"], rng, shortest, longest)
    plain = words.sentence(rng, shortest) if shortest else words.phrase(rng)
    yield plain if longest is None else plain[:longest].rstrip()
    yield plain[: max(shortest, 1)].replace(" ", "e")
    yield "x" * shortest
