"""What a walk over a schema carries along: dice that fall the same for a seed, and where they had to be thrown again.

Every value has dice of its own, made from the seed, the event's number and the value's path. So one place of an event
can be drawn anew, after a check found it wrong, while everything beside it stays.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from random import Random
from typing import Any

from inflect.schemas.sampling.words import Cast, cast, others

_MOST_VALUES = 5_000
_ENOUGH_VALUES = 60
_DEEP_ENOUGH = 8
_DEEPEST = 80
_ROUNDS = 2
_STUBBORN = 4


class ImpossibleError(Exception):
    """No value can be drawn here with the choices made above; `path` is a JSON pointer."""

    def __init__(self, path: str, why: str) -> None:
        self.path = path
        self.why = why
        super().__init__(f"at {path or 'the root'}: {why}")


@dataclass(slots=True)
class Walk:
    """One event being drawn: the `attempt`th at it, since the others were like one before it.

    `tries` says how often the value at a path has been found wrong.
    """

    seed: int
    index: int
    attempt: int = 0
    tries: Counter[str] = field(default_factory=Counter)
    disturbed: set[str] = field(default_factory=set)
    drawn: int = 0

    @property
    def first(self) -> bool:
        """Whether this is the event people look at: it has everything."""
        return self.index == 0

    def again(self, path: str) -> None:
        """Throw the dice anew at a path; where that did not help for long, a level above too."""
        self.tries[path] += 1
        self.disturbed.update(_above(path))
        if path and self.tries[path] % _STUBBORN == 0:
            self.again(path.rpartition("/")[0])


def _above(path: str) -> Iterator[str]:
    while path:
        path = path.rpartition("/")[0]
        yield path


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value is drawn: its path, its name, the dice's key, and what lies above it."""

    path: str
    key: str
    name: str
    depth: int
    trail: tuple[Any, ...]
    cast: Cast

    def dice(self) -> Random:
        """Dice of this value alone."""
        return Random(self.key)  # noqa: S311  repeatable on purpose


def top(walk: Walk) -> Place:
    """Return where the event itself is drawn."""
    walk.drawn = 0
    key = f"{walk.seed}:{walk.index}:{walk.attempt}{_suffix(walk, '')}"
    return Place("", key, "", 0, (), cast(Random(key)))  # noqa: S311  repeatable on purpose


def below(walk: Walk, place: Place, step: str | int, name: str) -> Place:
    """Return where a member or an item is drawn; ImpossibleError where an event has become too large or too deep."""
    path = f"{place.path}/{str(step).replace('~', '~0').replace('/', '~1')}"
    walk.drawn += 1
    if walk.drawn > _MOST_VALUES:
        raise ImpossibleError("", f"an event would hold more than {_MOST_VALUES} values")
    if place.depth >= _DEEPEST:
        raise ImpossibleError("", f"an event would be more than {_DEEPEST} levels deep: does it require itself?")
    return Place(path, f"{place.key}/{step}{_suffix(walk, path)}", name, place.depth + 1, place.trail, place.cast)


def is_tight(walk: Walk, place: Place, *marks: Any) -> bool:
    """Whether only what must be should follow: the event is large or deep enough, or goes round in a circle."""
    if walk.drawn > _ENOUGH_VALUES or place.depth > _DEEP_ENOUGH:
        return True
    return any(place.trail.count(mark) >= _ROUNDS for mark in marks)


def presence(walk: Walk, place: Place, *, tight: bool) -> float:
    """Return how likely something optional is there: always in the first event, never where things get tight."""
    if tight:
        return 0.0
    chances = (1.0, 1.0, 0.9, 0.6, 0.3, 0.0) if walk.first else (0.75, 0.75, 0.5, 0.25, 0.0, 1.0)
    return chances[walk.tries[place.path] % len(chances)]


def is_present(place: Place, name: str, chance: float) -> bool:
    """Throw for one optional member; the same answer however often it is asked."""
    digest = blake2b(f"{place.key}?{name}".encode(), digest_size=4).digest()
    return int.from_bytes(digest) < chance * 2**32


def named_trail(place: Place, *marks: Any) -> Place:
    """Return the same place with what holds there added to what lies above its members."""
    return replace(place, trail=(*place.trail, *marks))


def recast(place: Place, key: str) -> Place:
    """Return the same place with other dice, and about other people."""
    return replace(place, key=key, cast=others(place.cast, Random(key)))  # noqa: S311  repeatable on purpose


def _suffix(walk: Walk, path: str) -> str:
    return f"~{walk.tries[path]}" if walk.tries[path] else ""
