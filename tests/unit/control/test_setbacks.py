"""What is remembered of files that cannot run."""

from inflect.control.setbacks import KEPT_S, Setbacks
from inflect.errors import Fault

TEXTS = {
    "filters/loops.js": "const a = require('../lib/a'); while (true) {}",
    "filters/fine.js": "module.exports = () => true",
    "lib/a.js": "exports.a = 1",
}
LOOPS = Fault("filters/loops.js", "loading it does not end")


def remembered() -> Setbacks:
    setbacks = Setbacks()
    setbacks.remember(TEXTS, {"filters/fine.js": 1, "lib/a.js": 1}, [LOOPS])
    return setbacks


def test_a_file_that_failed_is_known_as_long_as_it_is_the_same() -> None:
    assert remembered().known(TEXTS) == {"filters/loops.js": (LOOPS,)}
    assert remembered().known({**TEXTS, "filters/fine.js": "changed"}) == {"filters/loops.js": (LOOPS,)}


def test_a_changed_file_or_one_whose_requirements_changed_is_tried_again() -> None:
    assert remembered().known({**TEXTS, "filters/loops.js": "changed"}) == {}
    assert remembered().known({**TEXTS, "lib/a.js": "changed"}) == {}
    assert remembered().known({"filters/fine.js": ""}) == {}


def test_a_fault_with_its_line_belongs_to_its_file() -> None:
    setbacks = Setbacks()
    fault = Fault("filters/fine.js:3:14", "SyntaxError")
    setbacks.remember(TEXTS, {"filters/loops.js": 1, "lib/a.js": 1}, [fault])
    assert setbacks.known(TEXTS) == {"filters/fine.js": (fault,)}


def test_a_trial_that_failed_as_a_whole_teaches_nothing() -> None:
    setbacks = Setbacks()
    setbacks.remember(TEXTS, {}, [Fault("", "the processors cannot be compiled")])
    assert setbacks.known(TEXTS) == {}


def test_after_a_while_a_file_is_tried_again() -> None:
    now = 0.0
    setbacks = Setbacks(lambda: now)
    setbacks.remember(TEXTS, {"filters/fine.js": 1, "lib/a.js": 1}, [LOOPS])
    now = KEPT_S - 1
    setbacks.remember(TEXTS, {"filters/fine.js": 1, "lib/a.js": 1}, [LOOPS])
    assert list(setbacks.known(TEXTS)) == ["filters/loops.js"]
    now = KEPT_S + 1
    assert setbacks.known(TEXTS) == {}
