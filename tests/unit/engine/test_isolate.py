"""A call that is cut off at any moment: its answer is about its own batch, and blames nobody who did not run."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from py_mini_racer import JSEvalException, JSTimeoutException

from inflect.engine.isolate import Isolate, IsolateLostError
from inflect.engine.program import build_program
from inflect.model.pipeline import Limits
from tests.unit.processing.chains import revision


@pytest.fixture
def isolate() -> Iterator[Isolate]:
    limits = Limits(timeout_ms=1000, memory_mb=64)
    with Isolate(build_program(revision("module.exports = event => event", limits=limits))) as opened:
        yield opened


def run(isolate: Isolate, *events: str) -> tuple[list[str], dict[str, Any]]:
    *outputs, meta = isolate.run("\x1e".join(events), len(events), "", delicate=False).split("\x1e")
    return outputs, orjson.loads(meta)


def cut_off(isolate: Isolate, name: str, error: Exception, times: int = 1) -> None:
    """Let the next calls of a function end before its first line runs, as where the process was held up."""
    real, left = isolate._functions[name], [error] * times

    def cut(*arguments: Any, **options: Any) -> Any:
        if left:
            raise left.pop()
        return real(*arguments, **options)

    isolate._functions[name] = cut  # type: ignore[assignment]  # stands in for it


@pytest.mark.parametrize("error", [JSTimeoutException(), JSEvalException("terminated")])
def test_a_call_that_ended_before_it_took_its_batch_does_not_answer_with_the_one_before(
    isolate: Isolate, error: Exception
) -> None:
    assert run(isolate, "1", "2")[0] == ["1", "2"]
    cut_off(isolate, "run", error)
    assert run(isolate, "3", "4")[0] == ["3", "4"]


def test_a_call_that_never_takes_its_batch_loses_the_isolate(isolate: Isolate) -> None:
    cut_off(isolate, "run", JSTimeoutException(), times=100)
    with pytest.raises(IsolateLostError) as caught:
        run(isolate, "1")
    assert not caught.value.finished


def test_a_limit_that_strikes_while_the_answer_is_put_together_convicts_no_event(isolate: Isolate) -> None:
    run(isolate, "1", "2")
    for _ in range(2):
        *outputs, meta = str(isolate._functions["interrupted"](1000)).split("\x1e")
        assert outputs == ["1", "2"]
        assert orjson.loads(meta)["failures"] == []


def test_an_answer_that_cannot_be_put_together_in_time_loses_the_isolate_after_its_last_event(isolate: Isolate) -> None:
    run(isolate, "1", "2")
    cut_off(isolate, "interrupted", JSTimeoutException(), times=100)
    real = isolate._functions["run"]

    def late(*arguments: Any, **options: Any) -> Any:
        real(*arguments, **options)
        raise JSTimeoutException

    isolate._functions["run"] = late  # type: ignore[assignment]  # stands in for it
    with pytest.raises(IsolateLostError) as caught:
        run(isolate, "3", "4")
    assert caught.value.finished
