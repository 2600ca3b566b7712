"""Event content as text for people: JSON with line breaks and every digit, its faults by line, what differs by line.

Pure text. What is shown is bounded, because an event may hold a megabyte, and what would turn the reading direction of
the page around it is written as the escape that it is in JSON.
"""

import difflib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

MOST_CHARACTERS = 60_000
MOST_LINES = 1_200
_ALL_LINES = 40
_CONTEXT = 2
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_TURNING = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CLOSING = {"{": "}", "[": "]"}
_SIGNS = {"added": "+", "removed": "−"}  # noqa: RUF001  a minus


@dataclass(frozen=True, slots=True)
class Problem:
    """Where a text stops being JSON: line and column from 1, and why."""

    line: int
    column: int
    why: str

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.why}"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a difference: `kind` is added, removed, place (lines were left out before it), or empty: the same."""

    kind: str
    sign: str
    text: str


def problem_of(text: str) -> Problem | None:
    """Say where this is no JSON; None where it is."""
    try:
        json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        return Problem(error.lineno, error.colno, error.msg[:1].lower() + error.msg[1:])
    except RecursionError:
        return Problem(1, 1, "is nested too deep to be edited here")
    except ValueError as error:
        return Problem(1, 1, str(error))
    return None


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not valid JSON")


def laid_out(text: str) -> str:
    """JSON with line breaks, each number as it was written; any other text as it is."""
    if problem_of(text) is not None:
        return text
    return "".join(_laid_out(_TOKENS.findall(text)))


def _laid_out(tokens: list[str]) -> Iterator[str]:
    depth = 0
    for place, token in enumerate(tokens):
        following = tokens[place + 1] if place + 1 < len(tokens) else ""
        if token in _CLOSING:
            empty = following == _CLOSING[token]
            depth += not empty
            yield token if empty else f"{token}{_break(depth)}"
        elif token in _CLOSING.values():
            opened = place > 0 and _CLOSING.get(tokens[place - 1]) == token
            depth -= not opened
            yield token if opened else f"{_break(depth)}{token}"
        else:
            yield {",": f",{_break(depth)}", ":": ": "}.get(token, token)


def _break(depth: int) -> str:
    return "\n" + "  " * depth


def shown(value: Any) -> str:
    """A value as JSON with line breaks, bounded."""
    try:
        text = json.dumps(value, indent=2, ensure_ascii=False)
    except (RecursionError, ValueError):
        text = "(nested too deep to be shown)"
    return bounded(text)


def bounded(text: str) -> str:
    """At most so many characters, nothing that turns the reading direction, and a word about what was left out."""
    cut = text[:MOST_CHARACTERS]
    more = f"\n… {len(text) - len(cut):,} characters more" if len(text) > len(cut) else ""
    return _TURNING.sub(lambda found: f"\\u{ord(found[0]):04x}", cut) + more


def changed_lines(before: Any, after: Any) -> list[Line]:
    """What differs between two values, line by line: of small ones all lines, of the largest none."""
    old, new = shown(before).splitlines(), shown(after).splitlines()
    if max(len(old), len(new)) > MOST_LINES:
        return []
    everything = max(len(old), len(new))
    context = everything if everything <= _ALL_LINES else _CONTEXT
    matcher = difflib.SequenceMatcher(a=_plain(old), b=_plain(new), autojunk=False)
    groups = matcher.get_grouped_opcodes(context)
    found = [[*_lines(opcodes, old, new)] for opcodes in groups]
    gap = [Line("place", "", "⋯")]
    return [line for place, group in enumerate(found) for line in (gap * bool(place) + group)]


def _plain(lines: Sequence[str]) -> list[str]:
    """Lines without the commas behind them: that another line follows is no difference."""
    return [line.removesuffix(",") for line in lines]


def _lines(opcodes: Sequence[tuple[str, int, int, int, int]], old: list[str], new: list[str]) -> Iterator[Line]:
    for tag, old_from, old_to, new_from, new_to in opcodes:
        if tag == "equal":
            yield from (Line("", "", text) for text in new[new_from:new_to])
            continue
        yield from (Line("removed", _SIGNS["removed"], text) for text in old[old_from:old_to])
        yield from (Line("added", _SIGNS["added"], text) for text in new[new_from:new_to])
