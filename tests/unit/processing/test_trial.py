"""The test page's result: the outcome with a trace, and what of an expectation it misses."""

# ruff: noqa: E501  a step's JavaScript stays on the line of its test

from typing import Any

import pytest

from inflect.engine.sandbox import SandboxError
from inflect.errors import RefusedError
from inflect.processing import trial
from inflect.processing.trial import TrialEvent, check_expectation, try_events
from tests.unit.processing.chains import revision

STEPS = (
    "module.exports = (e, context) => { console.log('saw', e.id); context.key = 'k'; return { ...e, seen: true } }",
    "filter:module.exports = e => {\n  if (e.loop) for (;;) {}\n  if (e.kill) new Array(1e9).constructor.from({ length: 4e8 }, () => ({}))\n  return e.items.length > 0\n}",
)


def test_results_tell_outcome_trace_and_outputs() -> None:
    delivered, filtered, failed, undecoded, endless = try_events(
        revision(*STEPS),
        [
            TrialEvent(b'{"id":12345678901234567890,"items":[1]}', None, (("h", b"1"), ("h", b"2"))),
            TrialEvent(b'{"id":2,"items":[]}'),
            TrialEvent(b'{"id":3}'),
            TrialEvent(b"{"),
            TrialEvent(b'{"loop":1}'),
        ],
    )
    assert (delivered["outcome"], delivered["stage"], delivered["error"]) == ("delivered", None, None)
    assert delivered["outputs"] == [
        {
            "value": {"id": 12345678901234567890, "items": [1], "seen": True},
            "key": "k",
            "headers": {"h": ["1", "2"]},
            "topic": "out",
        }
    ]
    first = delivered["trace"][0]
    assert (first["stage"], first["step"], first["index"], first["status"]) == ("step", "t0", 0, "ok")
    assert first["after"] == first["before"] | {"seen": True}
    assert first["logs"] == [{"level": "info", "text": "saw 12345678901234567890n"}]

    assert (filtered["outcome"], filtered["stage"], filtered["step"], filtered["index"]) == (
        "filtered",
        "step",
        "t1",
        1,
    )
    assert [entry["status"] for entry in filtered["trace"]] == ["ok", "filtered"]

    assert (failed["outcome"], failed["step"]) == ("failed", "t1")
    assert (failed["error"]["file"], failed["error"]["line"], failed["error"]["source_line"]) == (
        "filters/t1.js",
        4,
        "return e.items.length > 0",
    )

    assert (undecoded["stage"], [entry["status"] for entry in undecoded["trace"]]) == ("decode", ["skipped", "skipped"])
    assert (endless["error"]["kind"], endless["error"]["file"]) == ("timeout", "filters/t1.js")


def test_processors_that_cannot_be_loaded_are_refused() -> None:
    with pytest.raises(RefusedError, match="nope"):
        try_events(revision("nope()"), [TrialEvent(b"1")])


def test_expectations_that_hold_miss_nothing_and_others_are_told() -> None:
    (result,) = try_events(revision(*STEPS), [TrialEvent(b'{"id":1,"items":[1]}')])
    assert (
        check_expectation(result, {"outcome": "delivered", "event": {"id": 1, "items": [1], "seen": True}, "key": "k"})
        == []
    )
    assert check_expectation(result, {"outcome": "filtered", "step": "t1"}) == [
        'outcome: expected "filtered", was "delivered"',
        'step: expected "t1", was null',
    ]
    (failed,) = try_events(revision(*STEPS), [TrialEvent(b"{}")])
    assert check_expectation(failed, {"outcome": "failed", "error": "Cannot read properties"}) == []
    assert check_expectation(failed, {"error": "exception"}) == []
    assert len(check_expectation(failed, {"error": "other"})) == 1


@pytest.mark.row("B20")
def test_an_event_that_takes_its_process_along_is_found_in_few_more_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []

    def sandbox(_function: Any, _revision: Any, events: list[TrialEvent], *_more: Any, **_bounds: Any) -> Any:
        started.append(len(events))
        if any(event.value == b"deadly" for event in events):
            raise SandboxError("the sandbox died (signal 6)")
        return {"results": [{"outcome": "delivered"} for _ in events]}

    monkeypatch.setattr(trial, "run_in_sandbox", sandbox)
    results = try_events(revision(*STEPS), [TrialEvent(b"deadly" if n == 41 else b"1") for n in range(64)])
    assert [n for n, result in enumerate(results) if result["outcome"] == "failed"] == [41]
    assert len(results) == 64
    assert len(started) == 13
