"""What `inflect test` found as JUnit XML, which every CI shows: a suite per pipeline, a case per test or event."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from inflect.errors import UsageError

_MS_PER_S = 1000


@dataclass(frozen=True, slots=True)
class Case:
    """One test, or one event that was tried: `result` is the contract's; `failure` a line per fault, '' when well."""

    pipeline: str
    name: str
    failure: str
    result: Mapping[str, Any]

    @property
    def seconds(self) -> float:
        """How long the steps and checks took."""
        return sum(entry.get("duration_ms") or 0 for entry in self.result.get("trace", ())) / _MS_PER_S


def write_junit(file: Path, cases: Sequence[Case], seed: int | None = None) -> None:
    """Write the cases; `seed` is that of generated events. UsageError when the file cannot be written."""
    root = ET.Element("testsuites", {"name": "inflect", **_sums(cases)})
    for pipeline in dict.fromkeys(case.pipeline for case in cases):
        own = [case for case in cases if case.pipeline == pipeline]
        suite = ET.SubElement(root, "testsuite", {"name": pipeline, **_sums(own)})
        if seed is not None:
            ET.SubElement(ET.SubElement(suite, "properties"), "property", name="seed", value=str(seed))
        for case in own:
            _add(suite, case)
    ET.indent(root)
    try:
        ET.ElementTree(root).write(file, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise UsageError(f"{file}: cannot be written: {error}") from error


def _sums(cases: Sequence[Case]) -> dict[str, str]:
    return {
        "tests": str(len(cases)),
        "failures": str(sum(1 for case in cases if case.failure)),
        "errors": "0",
        "time": f"{sum(case.seconds for case in cases):.3f}",
    }


def _add(suite: ET.Element, case: Case) -> None:
    name, time = _printable(case.name), f"{case.seconds:.3f}"
    element = ET.SubElement(suite, "testcase", classname=case.pipeline, name=name, time=time)
    if not case.failure:
        return
    error = case.result.get("error") or {}
    message = _printable("; ".join(case.failure.splitlines()))
    failure = ET.SubElement(element, "failure", message=message, type=str(error.get("kind") or "expectation"))
    event = json.dumps(case.result.get("event"), ensure_ascii=False)
    failure.text = _printable(f"{case.failure}\n\nevent: {event}\n")
    logs = [log for entry in case.result.get("trace", ()) for log in entry.get("logs") or ()]
    if logs:
        ET.SubElement(element, "system-out").text = _printable("\n".join(_line(log) for log in logs))


def _line(log: Any) -> str:
    return log if isinstance(log, str) else json.dumps(log, ensure_ascii=False)


def _printable(text: str) -> str:
    """Leave out what XML 1.0 has no way to say."""
    return "".join(c for c in text if c in "\t\n" or (c >= " " and not "\ud800" <= c <= "\udfff" and c < "\ufffe"))
