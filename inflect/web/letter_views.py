"""Dead letters made into what pages show: causes as bars, rows of a list, one letter's story with its source line.

Pure but for what it is given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from inflect.model.pipeline import Pipeline
from inflect.web.json_text import bounded, laid_out, shown
from inflect.web.walk import StopView

_AROUND = 3
_STAGES = {
    "decode": "reading",
    "incoming_schema": "incoming schema",
    "step": "step",
    "outgoing_schema": "outgoing schema",
    "encode": "writing",
    "produce": "delivery",
}
_ORDER = tuple(_STAGES)
DIALECTS = {"connect": "Kafka Connect", "streams": "Kafka Streams", "spring": "Spring"}


@dataclass(frozen=True, slots=True)
class CauseView:
    """Letters that died of the same: `share` in percent of the most frequent cause, for the bar."""

    id: str
    words: str
    where: str
    kind: str
    count: int
    share: float
    first: datetime | None
    last: datetime | None


@dataclass(frozen=True, slots=True)
class LetterRow:
    """One line of the list."""

    id: str
    at: datetime | None
    where: str
    kind: str
    message: str
    origin: str
    attempt: int
    redriven: str


@dataclass(frozen=True, slots=True)
class CodeView:
    """The lines around the one that failed; `first` is the number of the first of them."""

    file: str
    first: int
    failing: int
    lines: Sequence[str]


def causes(groups: Sequence[Mapping[str, Any]]) -> list[CauseView]:
    """The causes, the most frequent first."""
    most = max((group["count"] for group in groups), default=1)
    return [
        CauseView(
            id=group["cause"],
            words=bounded(group["shape"] or "no message"),
            where=where(group),
            kind=group["kind"] or "unknown",
            count=group["count"],
            share=round(100 * group["count"] / most, 1),
            first=moment(group["first"]),
            last=moment(group["last"]),
        )
        for group in groups
    ]


def row(letter: Mapping[str, Any]) -> LetterRow:
    """A letter as `control` describes it."""
    mark = letter["redriven"]
    return LetterRow(
        id=letter["id"],
        at=moment(letter["time"]) or _from_ms(letter["origin"]["timestamp"]),
        where=where(letter),
        kind=letter["kind"] or "unknown",
        message=bounded((letter["message"] or "no message")[:300]),
        origin=origin(letter),
        attempt=letter["attempt"],
        redriven="" if mark is None else mark["outcome"].replace("_", "-"),
    )


def where(facts: Mapping[str, Any]) -> str:
    """The step it failed in, else the stage in a word."""
    return facts["step"] or _STAGES.get(facts["stage"] or "", facts["stage"] or "not told")


def origin(letter: Mapping[str, Any]) -> str:
    """`TOPIC:PARTITION:OFFSET` of the event it was, as far as it is told."""
    place = letter["origin"]
    return ":".join(str(part) for part in (place["topic"], place["partition"], place["offset"]) if part is not None)


def moment(text: str | None) -> datetime | None:
    """A time as letters tell it; None for what is none."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _from_ms(stamp: int | None) -> datetime | None:
    try:
        return None if stamp is None or stamp < 0 else datetime.fromtimestamp(stamp / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def story(letter: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is told of a letter, as words and values."""
    mark, at = letter["redriven"], _from_ms(letter["origin"]["timestamp"])
    facts = [
        ("came from", origin(letter)),
        ("written there", at.isoformat(timespec="milliseconds") if at else None),
        ("died", letter["time"]),
        ("in revision", letter["revision"]),
        ("attempt", letter["attempt"]),
        ("written by", DIALECTS.get(letter["dialect"]) and f"{DIALECTS[letter['dialect']]}, {letter['writer']}"),
        ("redriven", mark and f"{mark['outcome'].replace('_', '-')} at {mark['time']}, revision {mark['revision']}"),
        ("left out", "its value was too large to be kept beside the story" if letter["truncated"] else None),
    ]
    return [(word, str(value)) for word, value in facts if value]


def stops(pipeline: Pipeline, letter: Mapping[str, Any]) -> list[StopView]:
    """The way the event took before it died, along the pipeline as it is now."""
    stage, step = letter["stage"], letter["step"]
    names = [each.name for each in pipeline.steps]
    if stage not in _ORDER or (stage == "step" and step not in names):
        return []
    line = [StopView("source", pipeline.source.topic, "", "ok")]
    line += [StopView("check", "incoming schema", "", "ok")] if pipeline.source.schema else []
    line += [StopView(each.kind, each.name, each.kind, "ok") for each in pipeline.steps]
    line += [StopView("check", "outgoing schema", "", "ok")] if pipeline.target.schema else []
    line += [StopView("target", pipeline.target.topic, "", "ok")]
    at = _place(line, stage, step)
    statuses = ["ok" if place < at else "failed" if place == at else "skipped" for place in range(len(line))]
    return [
        StopView(stop.kind, stop.name, stop.word, status)  # type: ignore[arg-type]  # one of its words
        for stop, status in zip(line, statuses, strict=True)
    ]


def _place(line: Sequence[StopView], stage: str, step: str | None) -> int:
    if stage == "step":
        return next(i for i, stop in enumerate(line) if stop.name == step and stop.kind in {"transformation", "filter"})
    if stage in {"incoming_schema", "outgoing_schema"}:
        wanted = stage.replace("_", " ")
        return next((i for i, stop in enumerate(line) if stop.kind == "check" and stop.name == wanted), 0)
    return 0 if stage == "decode" else len(line) - 1


def code(location: str | None, source: str | None) -> CodeView | None:
    """The lines around `file:line:column`; None where there is no such line."""
    file, line = place_of(location)
    lines = (source or "").split("\n")
    if source is None or not 0 < line <= len(lines):
        return None
    first = max(1, line - _AROUND)
    return CodeView(file, first, line, [text[:400] for text in lines[first - 1 : line + _AROUND]])


def place_of(location: str | None) -> tuple[str, int]:
    """File and line of `file:line:column`; line 0 where none is told."""
    parts = (location or "").split(":")
    told = len(parts) > 1 and parts[1].isdecimal() and len(parts[1]) < 8  # noqa: PLR2004  no file has more lines
    return parts[0], int(parts[1]) if told else 0


def value(letter: Mapping[str, Any]) -> str:
    """The value as text, JSON laid out."""
    if letter["value"] is None and "valueBinary" in letter:
        return bounded(str(letter["valueBinary"]))
    found = letter["value"]
    return bounded(laid_out(found)) if isinstance(found, str) else shown(found)


def headers(letter: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The original's headers, those that are no text in base64."""
    return [
        (name, bounded(str(text)))
        for kind in ("headers", "headersBinary")
        for name, said in (letter.get(kind) or {}).items()
        for text in (said if isinstance(said, list) else [said])
    ]
