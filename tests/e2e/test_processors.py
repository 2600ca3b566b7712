"""Functions edited while events flow: live within two seconds; a faulty file is refused and the old one runs on."""

import time

from tests.e2e.scene import Scene
from tests.e2e.traffic import Event, Load, Tail
from tests.waiting import eventually

LIVE_WITHIN_S = 2.0
FILE = "transformations/mark.js"
LIB = "lib/word.js"


def marking(word: str) -> dict[str, str]:
    return {FILE: f"module.exports = (event) => ({{ ...event, mark: '{word}' }})\n"}


def test_a_changed_file_is_live_within_two_seconds_and_nobody_restarts(scene: Scene) -> None:
    flow = scene.flow("edited", marking("old"), partitions=2)
    pids = scene.running(flow)

    with Load(scene.broker, flow.source, 2, events_per_second=500) as load, Tail(scene.broker, flow.target) as tail:
        eventually(lambda: tail.arrivals, 20)
        scene.installation.write_processors(marking("new"))
        saved = time.time()
        eventually(lambda: tail.arrivals[-1][1].document["mark"] == "new", 20)
        written = load.stop()
    live = next(at for at, found in tail.arrivals if found.document["mark"] == "new")

    assert live - saved <= LIVE_WITHIN_S
    scene.settled(flow, written)
    assert sorted(scene.broker.numbers(flow.target)) == list(range(written))
    assert scene.running(flow) == pids
    assert scene.installation.show("edited")["revision"] == 2


def test_a_file_with_a_syntax_error_is_refused_by_name_and_line_and_the_old_one_runs_on(scene: Scene) -> None:
    flow = scene.flow("steady", marking("old"))
    scene.installation.write_processors({FILE: "module.exports = (event) => {\n  return event)\n}\n"})

    eventually(lambda: f"{FILE}:2" in scene.installation.log.read_text(), 10, why="the log names file and line")
    refused = scene.installation.inflect("sync")

    assert refused.returncode == 2
    assert f"{FILE}:2:15" in refused.stderr, refused.stderr
    assert "SyntaxError" in refused.stderr
    assert "Traceback" not in refused.stderr
    scene.broker.write(flow.source, [Event(b'{"n":1}')])
    assert scene.settled(flow, 1)["delivered"] == 1
    assert scene.broker.read(flow.target)[0].document == {"n": 1, "mark": "old"}
    assert scene.installation.show("steady")["revision"] == 1

    scene.installation.write_processors(marking("mended"))
    eventually(lambda: scene.installation.show("steady")["revision"] == 2, 10)


def test_a_changed_library_makes_new_revisions_for_its_users_only(scene: Scene) -> None:
    user = "const word = require('../lib/word')\nmodule.exports = (event) => ({ ...event, mark: word })\n"
    uses = scene.flow("uses", {LIB: "module.exports = 'old'\n", "transformations/user.js": user})
    scene.flow("does-not", {FILE: marking("own")[FILE]})

    scene.installation.write_processors({LIB: "module.exports = 'new'\n"})
    eventually(lambda: scene.installation.show("uses")["revision"] == 2, 10)

    scene.broker.write(uses.source, [Event(b'{"n":1}')])
    assert scene.first(uses.target).document["mark"] == "new"
    assert scene.installation.show("does-not")["revision"] == 1
