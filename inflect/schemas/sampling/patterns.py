"""Texts that match a regular expression, read as ECMA-262 has it, of a length that is asked for.

The standard library's parser reads the expression; what comes out is drawn from its tree. Libraries that do the same
were tried: one repeats `+` up to a hundred times from control characters and knows no length, the other cannot be
seeded. Look-arounds and word boundaries are not aimed at: the result is searched with the expression, and drawn again.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from random import Random
from re import _parser as reader  # type: ignore[attr-defined]  # what `re` itself reads with; not typed
from string import ascii_letters, ascii_lowercase, digits, punctuation
from typing import Any

import jsonschema_rs

_TRIES = 40
_MORE = 6
_LONGEST = 100_000
_BACKTRACKS = 10_000
_WORD = ascii_letters + digits + "_"
_FRIENDLY = ascii_lowercase + digits
_EVERY = ascii_letters + digits + punctuation + " éßЖ中"
_CATEGORIES = {
    "CATEGORY_DIGIT": digits,
    "CATEGORY_NOT_DIGIT": "".join(c for c in _EVERY if c not in digits),
    "CATEGORY_SPACE": " ",
    "CATEGORY_NOT_SPACE": _EVERY.replace(" ", ""),
    "CATEGORY_WORD": _WORD,
    "CATEGORY_NOT_WORD": "".join(c for c in _EVERY if c not in _WORD),
}
_WIDEST = 500
# The classes of letters that schemas use; what is not listed is taken for a letter.
_PROPERTIES = {
    "N": "0-9",
    "Nd": "0-9",
    "Lu": "A-Z",
    "Uppercase": "A-Z",
    "Z": " ",
    "Zs": " ",
    "P": "!-/",
    "Punctuation": "!-/",
}


def translate(pattern: str) -> str:
    """Return an ECMA-262 expression as Python writes it."""
    pattern = re.sub(r"\\u\{([0-9a-fA-F]+)\}", lambda m: re.escape(chr(int(m[1], 16))), pattern)
    pattern = re.sub(r"\(\?<([A-Za-z_]\w*)>", r"(?P<\1>", pattern)
    pattern = re.sub(r"\\k<(\w+)>", r"(?P=\1)", pattern)
    pattern = re.sub(r"\\c([A-Za-z])", lambda m: f"\\x{ord(m[1]) % 32:02x}", pattern)
    return _with_properties(pattern)


def _with_properties(pattern: str) -> str:
    out, inside, at = [], False, 0
    while at < len(pattern):
        if found := re.compile(r"\\([pP])\{(?:\w+=)?(\w+)\}").match(pattern, at):
            letters = _PROPERTIES.get(found[2], "a-zA-Z")
            negated = "^" if found[1] == "P" else ""
            out.append(letters if inside else f"[{negated}{letters}]")
            at = found.end()
            continue
        step = 2 if pattern[at] == "\\" else 1
        inside = pattern[at] == "[" or (inside and pattern[at] != "]")
        out.append(pattern[at : at + step])
        at += step
    return "".join(out)


@lru_cache(maxsize=1000)
def matcher(pattern: str) -> Callable[[str], bool] | None:
    """Return what tells whether a pattern is found in a text; None for one that cannot be used.

    It is the validator's engine that looks, since that one gives up: Python's may backtrack for years.
    """
    options = jsonschema_rs.FancyRegexOptions(_BACKTRACKS)
    try:
        return jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=options).is_valid
    except ValueError:
        return None


def examples(pattern: str, rng: Random, shortest: int = 0, longest: int | None = None) -> Iterator[str]:
    """Draw some texts in which the pattern is found, within the lengths where that can be done."""
    found = matcher(pattern)
    try:
        tree = reader.parse(translate(pattern), re.ASCII)
    except (re.error, OverflowError, RecursionError):
        return
    if found is None or tree.getwidth()[0] > _LONGEST:
        return
    free = _free_ends(tree)
    for attempt in range(_TRIES):
        # What is needed to reach the length is left to the open repeats, a little more each time.
        more = [_MORE, 2, 0, _MORE, max(shortest, _MORE), max(shortest, _MORE) * 2][attempt % 6]
        text = "".join(_draw(tree, rng, more, {}))
        if len(text) < shortest and free:
            text += "".join(rng.choices(_FRIENDLY, k=shortest - len(text)))
        if len(text) >= shortest and (longest is None or len(text) <= longest) and found(text):
            yield text


def _free_ends(tree: Any) -> bool:
    """Whether anything may follow: the pattern does not say where the text ends."""
    return not (len(tree) and str(tree[-1][0]) == "AT")


def _draw(tree: Any, rng: Random, more: int, groups: dict[int, str]) -> Iterator[str]:
    for operation, value in tree:
        yield _one(str(operation), value, rng, more, groups)


def _one(operation: str, value: Any, rng: Random, more: int, groups: dict[int, str]) -> str:
    text = ""  # anchors, boundaries and look-arounds stand between characters
    match operation:
        case "LITERAL":
            text = chr(value)
        case "NOT_LITERAL" | "ANY":
            text = rng.choice(_FRIENDLY.replace(chr(value or 0), ""))
        case "IN":
            text = rng.choice(_members(value))
        case "BRANCH":
            text = "".join(_draw(rng.choice(value[1]), rng, more, groups))
        case "SUBPATTERN" | "ATOMIC_GROUP":
            number, inner = (value[0], value[3]) if operation == "SUBPATTERN" else (None, value)
            text = "".join(_draw(inner, rng, more, groups))
            if number is not None:
                groups[number] = text
        case "GROUPREF":
            text = groups.get(value, "")
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            least, most, inner = value
            times = rng.randint(least, min(most, least + more))
            text = "".join("".join(_draw(inner, rng, more, groups)) for _ in range(times))
    return text


def _members(items: Any) -> str:
    """The characters of a class; a wide range gives its beginning, a negated class what people type."""
    negated = str(items[0][0]) == "NEGATE"
    members = ""
    for operation, value in items:
        match str(operation):
            case "LITERAL":
                members += chr(value)
            case "RANGE":
                members += "".join(map(chr, range(value[0], min(value[1], value[0] + _WIDEST) + 1)))
            case "CATEGORY":
                members += _CATEGORIES[str(value)]
    if not negated:
        return _kept(members)
    return "".join(c for c in _FRIENDLY if c not in members) or "".join(c for c in _EVERY if c not in members) or "\n"


def _kept(members: str) -> str:
    """Without what cannot be printed, where that leaves anything; a class of nearly everything is letters in life."""
    friendly = "".join(c for c in members if c in _FRIENDLY)
    if len(friendly) == len(_FRIENDLY) and len(members) > len(_WORD):
        return friendly
    return "".join(c for c in members if c.isprintable() and not "\ud800" <= c <= "\udfff") or members
